"""The release of a version that is no longer served: its memory is freed in short pieces."""

from __future__ import annotations

import gc

from valence.service.inference.scorer import Scorer
from valence.service.pacing import background

# words that are freed between two pauses
_PIECE = 1_024


def release(held: list[Scorer]) -> None:
    """Free the one scorer that ``held`` holds, and nothing else does.

    The interpreter frees an object with all that it holds at once, and keeps its lock meanwhile. So
    the many small objects of a vocabulary are taken out of it first.
    """
    scorer = held.pop()
    vocabulary = scorer.classifier.artifact.vocabulary
    vocabulary.forget_pieces()
    words = list(vocabulary.words)
    del scorer, vocabulary
    # Circles of references are freed now: the collector rarely looks at old objects. The models of
    # the start are frozen, so there are few to look at.
    gc.collect()
    while words:
        del words[-_PIECE:]
        background.pause()
