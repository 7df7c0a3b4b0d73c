"""Words that no training text has, but whose vectors say what they are like.

A network that learns what it does with vectors, not with words alone, can read them: of few texts
most words are missing, and each one missing is read as the unknown word or as another.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.training.corpora.archive import Progress
from valence.training.embeddings import glove, pretrained


def select_extra_words(
    sources: Sequence[str], count: int, *, cache: Path, progress: Progress = lambda _: None
) -> tuple[str, ...]:
    """The first ``count`` words of the first of ``sources`` that is a list of words.

    Such lists begin with the most frequent. Raises :class:`ConfigurationError` where none is one,
    and as its reader does.
    """
    if count == 0:
        return ()
    for source in sources:
        if pretrained.is_pretrained_list(source):
            rows = pretrained.load_pretrained(source, cache=cache, progress=progress).rows
            return tuple(islice(rows, count))
    raise ConfigurationError(
        f"words.unseen = {count}: none of words.vectors, {list(sources)}, is a list of words; add "
        f"{glove.NAME!r} or a file of vectors, or set words.unseen = 0"
    )
