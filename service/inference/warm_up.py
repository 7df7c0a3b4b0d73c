"""The warm-up of an engine: are its answers finite, and how fast are they."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from valence.service.classifier.classifier import Classifier, require_finite
from valence.service.classifier.vocabulary import UNKNOWN_ID, WordIds
from valence.service.errors import ArtifactError, NonFiniteAnswer
from valence.service.inference.engines.interface import Engine
from valence.service.inference.engines.speed import make_documents
from valence.service.pacing import background

# the tokens of the longest document that is checked
_CHECKED_TOKENS = 256
# shape of the batch that is measured
_ROWS = _TOKENS = 32
# How far a probability may be from the one recorded in training. Engines that compute with short
# numbers were up to 0.0011 away on test texts (docs/measured/benchmarks).
_TOLERANCE, _COARSE_TOLERANCE = 1e-3, 1e-2
_COARSE = ("bf16", "fp16", "int16")


def check_answers(classifier: Classifier, engine: Engine) -> None:
    """Raise :class:`ArtifactError` unless ``engine`` gives finite answers, and the golden ones.

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
    try:
        for document in documents:
            background.pause()
            logits = engine.logits([document])
            require_finite(logits)
            (prediction,) = classifier.predict(logits)
            require_finite(np.array((*prediction.probabilities, prediction.outside or 0.0)))
    except NonFiniteAnswer:
        raise ArtifactError(
            f"the model {manifest.name}:{manifest.version} computes numbers that are not finite on "
            f"the engine {engine.name}: its weights are damaged or too large; serve another "
            "version, or train the model again"
        ) from None
    _check_golden_answers(classifier, engine)


def _check_golden_answers(classifier: Classifier, engine: Engine) -> None:
    """Raise :class:`ArtifactError` if an answer is not the one recorded in the artifact."""
    manifest, golden = classifier.manifest, classifier.artifact.golden
    tolerance = _COARSE_TOLERANCE if engine.name.endswith(_COARSE) else _TOLERANCE
    for answer in golden:
        background.pause()
        (found,) = classifier.predict(engine.logits([classifier.encode_head(answer.text).ids]))
        distance = float(np.abs(np.subtract(found.probabilities, answer.probabilities)).max())
        if answer.outside is not None and found.outside is not None:
            distance = max(distance, abs(found.outside - answer.outside))
        if distance > tolerance:
            raise ArtifactError(
                f"the model {manifest.name}:{manifest.version} answers a text of its training "
                f"with a probability that is {distance:.2g} from the recorded one on the engine "
                f"{engine.name}, {tolerance:g} is allowed: this version of Valence reads or "
                "computes it in another way; serve it with the version that trained it, or train "
                "the model again"
            )


def measure_speed(
    work: Callable[[list[WordIds]], Sequence[object]], *, words: int
) -> tuple[float, float]:
    """Seconds that a call of ``work`` takes in itself, and seconds for each token beside that.

    ``words`` is the number of words of the vocabulary.
    """

    def seconds(count: int, tokens: int) -> float:
        background.pause()
        documents = make_documents(count, tokens, words)
        started = time.perf_counter()
        work(documents)
        return time.perf_counter() - started

    # the minimum of a few runs: other work of the machine only adds time
    smallest = min(seconds(1, 1) for _ in range(3))
    large = min(seconds(_ROWS, _TOKENS) for _ in range(3))
    return smallest, max(large - smallest, 1e-7) / (_ROWS * _TOKENS)
