"""The release of a version that is no longer served: its memory is freed in short pieces."""

from __future__ import annotations

import gc
import weakref

from valence.service.inference.scorer import Scorer
from valence.service.pacing import background


def release(held: list[Scorer]) -> None:
    """Free the one scorer that ``held`` holds, and nothing else does.

    The interpreter frees an object with all that it holds at once, and keeps its lock meanwhile. So
    the many small objects of a vocabulary are taken out of it first.
    """
    scorer = held.pop()
    vocabulary = scorer.classifier.artifact.vocabulary
    vocabulary.forget_pieces()
    words = list(vocabulary.words)
    parts: tuple[object, ...] = (scorer, scorer.classifier, scorer.engine)
    kept = [weakref.ref(part) for part in parts]
    del scorer, vocabulary, parts
    # A request that failed can leave a circle: its error knows the frames that it went through.
    # The collector holds the interpreter's lock while it looks at all objects, so it looks only
    # then.
    if any(reference() is not None for reference in kept):
        gc.collect()
    background.pause()
    while words:
        del words[-background.PIECE_WORDS :]
        background.pause()
