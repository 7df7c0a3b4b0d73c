"""The warm-up of an engine: are its answers finite, and how fast are they."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from valence.service.classifier.classifier import Classifier, require_finite
from valence.service.classifier.vocabulary import UNKNOWN_ID, WordIds
from valence.service.errors import ArtifactError, NonFiniteAnswer
from valence.service.inference.engines.interface import Engine

# the tokens of the longest document that is checked
_CHECKED_TOKENS = 256
# shape of the batch that is measured
_ROWS = _TOKENS = 32


def check_answers(classifier: Classifier, engine: Engine) -> None:
    """Raise :class:`ArtifactError` unless ``engine`` gives finite answers to a few documents.

    The weights of an artifact are finite, but their products may not be: a sum over large weights
    overflows, and infinity less infinity is NaN. The documents are a text, an empty one, the most
    frequent words, which come first in a vocabulary, its last words, and one unknown word many
    times.
    """
    manifest = classifier.manifest
    words = len(classifier.artifact.vocabulary)
    tokens = min(manifest.max_tokens, _CHECKED_TOKENS, words)
    documents = [
        classifier.encode_head("It's a warm-up, isn't it?").ids,
        np.zeros(0, dtype=np.int32),
        np.arange(tokens, dtype=np.int32),
        np.arange(words - tokens, words, dtype=np.int32),
        np.full(tokens, UNKNOWN_ID, dtype=np.int32),
    ]
    logits = engine.logits(documents)
    try:
        require_finite(logits)
        for prediction in classifier.predict(logits):
            require_finite(np.array(prediction.probabilities))
    except NonFiniteAnswer:
        raise ArtifactError(
            f"the model {manifest.name}:{manifest.version} computes numbers that are not finite on "
            f"the engine {engine.name}: its weights are damaged or too large; serve another "
            "version, or train the model again"
        ) from None


def measure_speed(
    work: Callable[[list[WordIds]], Sequence[object]], *, words: int
) -> tuple[float, float]:
    """Seconds that a call of ``work`` takes in itself, and seconds for each token beside that.

    ``words`` is the number of words of the vocabulary.
    """

    def seconds(count: int, tokens: int) -> float:
        documents = [np.arange(row, row + tokens, dtype=np.int32) % words for row in range(count)]
        started = time.perf_counter()
        work(documents)
        return time.perf_counter() - started

    # the minimum of a few runs: other work of the machine only adds time
    smallest = min(seconds(1, 1) for _ in range(3))
    large = min(seconds(_ROWS, _TOKENS) for _ in range(3))
    return smallest, max(large - smallest, 1e-7) / (_ROWS * _TOKENS)
