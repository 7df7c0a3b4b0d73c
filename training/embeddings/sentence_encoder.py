"""Static word vectors made from a sentence encoder: each word encoded alone, then reduced.

A transformer of millions of parameters tells once what it knows of a word; training and serving
look it up. As Tulkens and van Dongen, *Model2Vec: Fast State-of-the-Art Static Embeddings*, 2024,
make whole models: the mean over a word's pieces (Reimers, Gurevych: *Sentence-BERT*, EMNLP 2019),
then principal components. These are whitened halfway, for few directions hold most of the variance
of an encoder's output and tell little (Mu, Viswanath: *All-but-the-Top*, ICLR 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from valence.training.corpora.archive import Progress
from valence.training.embeddings.encoder_model import Encoder, LoadedEncoder
from valence.training.runtime import tensor_file

_WORDS_AT_ONCE = 256
_LONGEST = 32  # pieces of a word that are read, the encoder's marks of begin and end among them
_PART = "encoded"


def encode_words(
    source: Encoder,
    words: Sequence[str],
    *,
    cache: Path,
    progress: Progress = lambda _: None,
) -> NDArray[np.float32]:
    """Of each word the mean of what the encoder puts out for its pieces, ``(words, hidden)``.

    A hashtag is read as its word. What was encoded before is kept in ``cache``, so that only new
    words are read by the encoder. Raises as :meth:`Encoder.load` does.
    """
    kept = cache / f"encoded-{source.sha256()[:16]}.safetensors"
    before = _read(kept)
    new = [word for word in dict.fromkeys(words) if word not in before]
    if new:
        progress(f"{source.source}: encoding {len(new):,} words")
        loaded = source.load(cache, key="words.vectors", progress=progress)
        before |= zip(new, _encoded(loaded, new), strict=True)
        rows = torch.from_numpy(np.stack(list(before.values())))
        tensor_file.write_tensors(kept, {_PART: {"rows": rows}}, {"words": list(before)})
    return np.stack([before[word] for word in words])


def reduce_dimensions(rows: NDArray[np.float32], size: int) -> NDArray[np.float32]:
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
        parts, rest = tensor_file.read_tensors(kept, (_PART,))
        return dict(zip(rest["words"], parts[_PART]["rows"].numpy(), strict=True))
    except tensor_file.UNREADABLE:
        return {}


def _encoded(loaded: LoadedEncoder, words: Sequence[str]) -> NDArray[np.float32]:
    tokenizer, model = loaded
    model.train(mode=False)
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
