"""Word vectors for a vocabulary: published, of a file, of an encoder, or of one's own texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.manifest import VectorsRecord
from valence.service.classifier.seal import sha256
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.config.schema import IN_DOMAIN, Words
from valence.training.corpora.archive import Progress
from valence.training.embeddings import (
    encoder_model,
    glove,
    in_domain,
    pretrained,
    sentence_encoder,
)
from valence.training.embeddings.emoji_names import find_name
from valence.training.embeddings.encoder_model import Encoder
from valence.training.runtime.hashing import sha256_of

# The standard deviation that pre-trained columns are scaled to, so that one learning rate fits all
# vectors. It is of the size of GloVe's own (0.64 over the default vocabulary).
SCALE = 0.5

PACKAGES = (glove.PACKAGE, encoder_model.PACKAGE)
"""The packages that published vectors are made from."""


@dataclass(frozen=True, slots=True)
class WordVectors:
    """One vector per word of a vocabulary, ``(words, size)``; zero where a source has no vector.

    ``found`` ``(words,)`` marks the words that at least one source has. ``shares`` holds the share
    of the words that each source has, by the name of the source.
    """

    values: NDArray[np.float32]
    found: NDArray[np.bool_]
    shares: Mapping[str, float] = field(default_factory=dict)


def load_word_vectors(
    settings: Words,
    vocabulary: Vocabulary,
    *,
    texts: Sequence[str],
    cache: Path,
    progress: Progress = lambda _: None,
) -> WordVectors:
    """The vectors of ``settings.vectors`` side by side.

    A source is ``glove-6b-50d``, ``in-domain``, a file of vectors, or an encoder by its name or
    folder. An encoder has a vector for every word except the unknown word, reduced to
    ``settings.encoder_size`` numbers. ``in-domain`` vectors, of ``settings.in_domain_size``
    numbers, are learnt from ``texts``. A hashtag that a source lacks takes the vector of its word.
    Raises :class:`ConfigurationError` for a source that cannot be read.
    """
    words = list(vocabulary)
    columns: list[NDArray[np.float32]] = []
    found_anywhere = np.zeros(len(words), dtype=bool)
    shares: dict[str, float] = {}
    for source in settings.vectors:
        if Encoder.is_encoder(source):
            # The first entry stands for unknown words; it is not a word.
            rows = sentence_encoder.encode_words(
                Encoder(source), words[1:], cache=cache, progress=progress
            )
            known = sentence_encoder.reduce_dimensions(
                rows, settings.encoder_size, _select_plain_words(words[1:])
            )
            values = np.vstack([np.zeros((1, known.shape[1]), dtype=np.float32), known])
            found = np.arange(len(words)) > 0
        elif source == IN_DOMAIN:
            progress(f"{source}: learning vectors from {len(texts):,} texts")
            learnt = in_domain.learn_vectors(
                texts, settings.in_domain_size, numbers=frozenset(words)
            )
            values, found = learnt.look_up(words)
        else:
            values, found = pretrained.load_pretrained(
                source, cache=cache, progress=progress
            ).look_up(words)
        shares[source] = float(found.mean())
        progress(f"{source}: vectors for {shares[source]:.0%} of the words")
        deviation = float(values[found].std()) if found.any() else 0.0
        columns.append(values * np.float32(SCALE / deviation) if deviation > 0.0 else values)
        found_anywhere |= found
    return WordVectors(np.hstack(columns), found_anywhere, shares)


def _select_plain_words(words: Sequence[str]) -> NDArray[np.bool_] | None:
    """The words that are no emoji, so that two thousand names do not move the axes; or None."""
    plain = np.array([find_name(word) is None for word in words])
    return plain if plain.any() and not plain.all() else None


def make_record(source: str, texts: Sequence[str], known: float | None = None) -> VectorsRecord:
    """The origin of the vectors of ``source``, for a model's record.

    ``in-domain`` vectors are learnt from ``texts``. ``known`` is the share of the words that the
    source has.
    """
    if Encoder.is_encoder(source):
        encoder = Encoder(source)
        return VectorsRecord(
            name=encoder.name,
            source=encoder.origin,
            sha256=encoder.sha256(),
            license=encoder.license,
        )
    if source == glove.NAME:
        return VectorsRecord(
            name=source,
            source=glove.PACKAGE.requirement,
            sha256=glove.PACKAGE.sha256,
            license=glove.PACKAGE.license,
            known=known,
        )
    if source == IN_DOMAIN:
        return VectorsRecord(
            name=source,
            source=f"{len(texts):,} of one's own texts",
            sha256=sha256_of(texts),
            known=known,
        )
    path = Path(source)
    return VectorsRecord(name=path.name, source=path.name, sha256=sha256(path), known=known)
