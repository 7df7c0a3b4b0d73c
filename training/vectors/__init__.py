"""Word vectors for a vocabulary: published, of a file, of an encoder, or of one's own texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.manifest import VectorsRecord
from valence.service.classifier.seal import sha256
from valence.service.classifier.vocabulary import Vocabulary
from valence.training import encoders
from valence.training.configuration import IN_DOMAIN
from valence.training.corpora.archive import Progress
from valence.training.encoders import Encoder
from valence.training.hashing import sha256_of
from valence.training.vectors import encoder, glove, in_domain, listed

# The standard deviation that pre-trained columns are scaled to. GloVe's own (0.64 over the default
# vocabulary) lies in the same region; fixing it makes one learning rate fit any vectors.
SCALE = 0.5

PACKAGES = (glove.PACKAGE, encoders.PACKAGE)
"""What published vectors are made from."""


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Rows of a vocabulary, ``(words, size)``, zero where a source has none; ``found`` by any."""

    values: NDArray[np.float32]
    found: NDArray[np.bool_]


def load(
    sources: Sequence[str],
    vocabulary: Vocabulary,
    *,
    encoder_size: int,
    in_domain_size: int,
    texts: Sequence[str],
    cache: Path,
    progress: Progress = lambda _: None,
) -> WordVectors:
    """Vectors of ``sources`` side by side: ``glove-6b-50d``, ``in-domain``, a file, an encoder.

    An encoder, by its name or folder, has one for every word but the unknown one, reduced to
    ``encoder_size`` numbers; ``in-domain`` ones, of ``in_domain_size`` numbers, are learnt from
    ``texts``. A hashtag that a source lacks takes the vector of its word. Raises
    :class:`ConfigurationError` for what cannot be read.
    """
    words = list(vocabulary)
    columns: list[NDArray[np.float32]] = []
    anywhere = np.zeros(len(words), dtype=bool)
    for source in sources:
        if Encoder.is_one(source):
            # what stands for unknown words is no word
            rows = encoder.encode(Encoder(source), words[1:], cache=cache, progress=progress)
            known = encoder.reduced(rows, encoder_size)
            values = np.vstack([np.zeros((1, known.shape[1]), dtype=np.float32), known])
            found = np.arange(len(words)) > 0
        elif source == IN_DOMAIN:
            progress(f"{source}: learning vectors from {len(texts):,} texts")
            learnt = in_domain.learn(texts, in_domain_size, numbers=frozenset(words))
            values, found = learnt.of(words)
        else:
            values, found = listed.read(source, cache=cache, progress=progress).of(words)
        progress(f"{source}: vectors for {found.mean():.0%} of the words")
        deviation = float(values[found].std()) if found.any() else 0.0
        columns.append(values * np.float32(SCALE / deviation) if deviation > 0.0 else values)
        anywhere |= found
    return WordVectors(np.hstack(columns), anywhere)


def record(source: str, texts: Sequence[str]) -> VectorsRecord:
    """Where the vectors of ``source`` come from, for a model's record; maybe from ``texts``."""
    if Encoder.is_one(source):
        one = Encoder(source)
        return VectorsRecord(
            name=one.name, source=one.origin, sha256=one.sha256(), license=one.license
        )
    if source == glove.NAME:
        return VectorsRecord(
            name=source,
            source=glove.PACKAGE.requirement,
            sha256=glove.PACKAGE.sha256,
            license=glove.PACKAGE.license,
        )
    if source == IN_DOMAIN:
        return VectorsRecord(
            name=source, source=f"{len(texts):,} of one's own texts", sha256=sha256_of(texts)
        )
    path = Path(source)
    return VectorsRecord(name=path.name, source=path.name, sha256=sha256(path))
