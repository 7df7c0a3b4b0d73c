"""Extra words of the vocabulary: words with vectors that no training text has.

A network that works on pre-trained vectors can read such words. A small corpus lacks most words of
the language, and each missing word would be read as the unknown word or as another word.
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

    Such a list begins with the most frequent word. Raises :class:`ConfigurationError` if no source
    is such a list, and for a file that cannot be read.
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
