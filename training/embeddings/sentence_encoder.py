"""Static word vectors from a sentence encoder: each word is encoded alone, then reduced.

The transformer encodes each word once; training and serving look the vector up. As Tulkens and van
Dongen, *Model2Vec: Fast State-of-the-Art Static Embeddings*, 2024, make whole models: the mean over
a word's pieces (Reimers, Gurevych: *Sentence-BERT*, EMNLP 2019), then principal components. The
components are whitened halfway, because a few directions hold most of the variance of an encoder's
output and little information (Mu, Viswanath: *All-but-the-Top*, ICLR 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from valence.training.corpora.archive import Progress
from valence.training.embeddings.emoji_names import find_name
from valence.training.embeddings.encoder_model import Encoder, LoadedEncoder
from valence.training.runtime import tensor_file

_WORDS_AT_ONCE = 256
_MAX_PIECES = 32  # of a word, including the encoder's marks of begin and end
_MAX_TEXT_PIECES = 256
_PART = "encoded"


def encode_words(
    source: Encoder,
    words: Sequence[str],
    *,
    cache: Path,
    progress: Progress = lambda _: None,
) -> NDArray[np.float32]:
    """For each word the mean of the encoder's outputs for its pieces, ``(words, hidden)``.

    A hashtag is read as its word, an emoji as its name. ``cache`` keeps the vectors, so the encoder
    reads new words only. Raises as :meth:`Encoder.load` does.
    """
    words = [find_name(word) or word for word in words]
    path = cache / f"encoded-{source.sha256()[:16]}.safetensors"
    vectors = _read_cache(path, path.stat().st_mtime_ns if path.is_file() else 0)
    new = [word for word in dict.fromkeys(words) if word not in vectors]
    if new:
        progress(f"{source.source}: encoding {len(new):,} words")
        loaded = source.load(cache, key="words.vectors", progress=progress)
        plain = [word.removeprefix("#") or word for word in new]
        found = _encode(loaded, plain, longest=_MAX_PIECES)
        vectors = {**vectors, **dict(zip(new, found, strict=True))}
        rows = torch.from_numpy(np.stack(list(vectors.values())))
        tensor_file.write_tensors(path, {_PART: {"rows": rows}}, {"words": list(vectors)})
    return np.stack([vectors[word] for word in words])


def encode_texts(
    source: Encoder,
    texts: Sequence[str],
    *,
    cache: Path,
    progress: Progress = lambda _: None,
) -> NDArray[np.float32]:
    """For each text the mean of the encoder's outputs for its pieces, ``(texts, hidden)``.

    The first 256 pieces are read. Raises as :meth:`Encoder.load` does.
    """
    loaded = source.load(cache, key="encoder", progress=progress)
    progress(f"{source.source}: encoding {len(texts):,} texts")
    return _encode(loaded, texts, longest=_MAX_TEXT_PIECES)


def reduce_dimensions(
    rows: NDArray[np.float32], size: int, sample: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """The first ``size`` principal components of ``rows``, whitened halfway: ``(rows, size)``.

    The components are those of the rows in ``sample`` ``(rows,)``, or of all rows. Fewer if they
    have fewer components.
    """
    measured = rows if sample is None else rows[sample]
    centred = rows.astype(np.float64) - measured.mean(axis=0, dtype=np.float64)
    fitted = centred if sample is None else centred[sample]
    variances, directions = np.linalg.eigh(fitted.T @ fitted / len(fitted))
    size = min(size, int((variances > variances[-1] * 1e-9).sum()))
    first = np.argsort(variances)[::-1][:size]
    # The sign of an eigenvector is arbitrary; here its largest entry is positive.
    axes = directions[:, first]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(size)])
    result: NDArray[np.float32] = (centred @ axes / variances[first] ** 0.25).astype(np.float32)
    return result


@lru_cache(maxsize=1)
def _read_cache(path: Path, written: int) -> Mapping[str, NDArray[np.float32]]:
    """The vectors of earlier runs, ``written`` at that time; empty if the file is damaged."""
    if not written:
        return {}
    try:
        parts, values = tensor_file.read_tensors(path, (_PART,))
        return dict(zip(values["words"], parts[_PART]["rows"].numpy(), strict=True))
    except tensor_file.UNREADABLE:
        return {}


def _encode(loaded: LoadedEncoder, words: Sequence[str], *, longest: int) -> NDArray[np.float32]:
    tokenizer, model = loaded
    model.train(mode=False)
    # Words of similar length share a batch, so that there is little padding.
    order = sorted(range(len(words)), key=lambda index: len(words[index]))
    rows = np.empty((len(words), model.config.hidden_size), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), _WORDS_AT_ONCE):
            indices = order[start : start + _WORDS_AT_ONCE]
            pieces = tokenizer(
                [words[index] for index in indices],
                padding=True,
                truncation=True,
                max_length=longest,
                return_tensors="pt",
            )
            outputs = model(**pieces).last_hidden_state  # (B, T, H)
            mask = pieces["attention_mask"][:, :, None]
            rows[indices] = ((outputs * mask).sum(1) / mask.sum(1)).numpy()
    return rows
