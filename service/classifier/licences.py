"""What the licences of the training data say about the use of a model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from valence.service.classifier.manifest import (
    CorpusRecord,
    TeacherOrigin,
    Training,
    VectorsRecord,
)

# words of a licence that allows less than any use
_LIMITED = re.compile(r"\bresearch\b|\bnon-?commercial\b|\bNC\b", re.IGNORECASE)


def find_restrictions(training: Training) -> list[str]:
    """A line ``NAME: LICENCE`` for each source of the training that allows only some uses.

    Sources are corpora, texts without labels, word vectors and teachers. The record of a source
    has its licence in words; a source without a recorded licence says nothing about its use.
    """
    found = {
        f"{name}: {licence}" for name, licence in _licences(training) if _LIMITED.search(licence)
    }
    return sorted(found)


def _licences(training: Training) -> Iterator[tuple[str, str]]:
    teachers = training.teacher.teachers if training.teacher else ()
    sources: tuple[CorpusRecord | VectorsRecord | TeacherOrigin, ...] = (
        *training.corpora,
        *training.unlabelled,
        *training.vectors,
        *teachers,
    )
    for source in sources:
        yield source.name, source.license
