"""The reference of a trained classifier: its answers to held-out texts, counted by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.classifier import Classifier
from valence.service.classifier.reference import (
    CONFIDENCES,
    LENGTHS,
    MAX_LABELS,
    MAX_LANGUAGES,
    UNKNOWN_SHARES,
    UNTOLD,
    ConfidenceCounts,
    NamedCounts,
    RangeCounts,
    Reference,
    count_names,
    count_ranges,
)
from valence.service.monitoring.language import tell_language
from valence.service.monitoring.signals import measure_decisions

# more texts make the limits of drift hardly narrower, and take minutes
MAX_TEXTS, MAX_LANGUAGE_TEXTS = 50_000, 2_000


def count_answers(
    classifier: Classifier,
    texts: Sequence[str],
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
) -> Reference:
    """Count the answers to ``texts``, which must not be texts of the training.

    ``probabilities`` are ``(texts, labels)``; ``truth`` are label indices ``(texts,)``, or 0 and 1
    ``(texts, labels)`` for a multi-label classifier. Of many texts, a sample is counted.
    """
    if len(texts) > MAX_TEXTS:
        chosen = np.sort(np.random.default_rng(0).permutation(len(texts))[:MAX_TEXTS])
        texts = [texts[index] for index in chosen.tolist()]
        probabilities, truth = probabilities[chosen], truth[chosen]
    usages = [classifier.encode_head(text).usage for text in texts]
    used = np.array([usage.tokens_used for usage in usages])
    unknown = np.array([usage.unknown_tokens for usage in usages])
    likeliest = probabilities.argmax(axis=1)
    confidence, right = _measure_confidence(classifier, probabilities, truth)
    labels = classifier.manifest.labels
    return Reference(
        labels=count_names([labels[index] for index in likeliest.tolist()], limit=MAX_LABELS),
        confidence=_count_confidence(confidence, right),
        lengths=RangeCounts(
            bounds=LENGTHS, texts=count_ranges(np.array([one.tokens for one in usages]), LENGTHS)
        ),
        unknown_words=RangeCounts(
            bounds=UNKNOWN_SHARES,
            texts=count_ranges(unknown / np.maximum(used, 1), UNKNOWN_SHARES),
        ),
        languages=_count_languages(texts),
    )


def _measure_confidence(
    classifier: Classifier, probabilities: NDArray[np.float64], truth: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The probability of each answer to be right, and how right it is."""
    manifest = classifier.manifest
    if manifest.task == "single_label":
        right = probabilities.argmax(axis=1) == truth
        return probabilities.max(axis=1), right.astype(np.float64)
    thresholds = np.array([manifest.thresholds[label] for label in manifest.labels])
    decided = (probabilities >= thresholds) == (truth == 1)
    return measure_decisions(probabilities, thresholds), decided.mean(axis=1)


def _count_confidence(
    confidence: NDArray[np.float64], right: NDArray[np.float64]
) -> ConfidenceCounts:
    classes = np.searchsorted(CONFIDENCES, confidence)
    sums = np.bincount(classes, weights=right, minlength=len(CONFIDENCES) + 1)
    return ConfidenceCounts(
        bounds=CONFIDENCES,
        texts=count_ranges(confidence, CONFIDENCES),
        right=tuple(round(total) for total in sums.tolist()),
    )


def _count_languages(texts: Sequence[str]) -> NamedCounts:
    places = np.random.default_rng(0).permutation(len(texts))[:MAX_LANGUAGE_TEXTS]
    told = [tell_language(texts[place]) or UNTOLD for place in places.tolist()]
    return count_names(told, limit=MAX_LANGUAGES)
