"""Doubts about a trained classifier, each in one sentence that names the figure and the remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier import tokenizer
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.metrics import bootstrap, calibration
from valence.training.metrics.bootstrap import Resampling
from valence.training.metrics.constant import compare_with_constant
from valence.training.metrics.definitions import MacroF1
from valence.training.metrics.predictions import Predictions

# With a smaller share of known words, most of a text is the unknown word to the model.
KNOWN = 0.5
_RESAMPLING = Resampling(draws=1_000)


def doubt_learning(predictions: Predictions, split: str) -> str | None:
    """The doubt about a model that is not better than a constant answer; else None."""
    found = compare_with_constant(predictions, _RESAMPLING)
    if found.is_beaten:
        return None
    return (
        f"{split} does not show that the model has learnt anything: {found.metric} "
        f"{found.value:.3f} is not clearly above {found.constant:.3f}, that of {found.answer} "
        f"({_describe_range(found.difference)}, {len(predictions):,} texts)"
    )


def doubt_network(predictions: Predictions, linear: Predictions, split: str) -> str | None:
    """The doubt about a model that loses to the linear model by more than the error; else None."""
    difference = bootstrap.estimate_difference(MacroF1(), linear, predictions, _RESAMPLING)
    if difference.high >= 0:
        return None
    scores = [bootstrap.compute_value(MacroF1(), one) for one in (predictions, linear)]
    return (
        f"a linear model is better than this one: macro-F1 {scores[0]:.3f}, the linear model's "
        f"{scores[1]:.3f} on the same {len(predictions):,} {split} texts "
        f"({_describe_range(difference)}); try other settings by `valence search`"
    )


def doubt_words(texts: Iterable[str], vocabulary: Vocabulary) -> str | None:
    """The doubt about a model that knows hardly any word of the dev ``texts``; else None.

    A word is a token with a letter or a digit.
    """
    counts = Counter(
        surface for text in texts for surface in tokenizer.find_surfaces(text, vocabulary.rules)
    )
    words = {word: count for word, count in counts.items() if any(map(str.isalnum, word))}
    unknown = {word: count for word, count in words.items() if not vocabulary.knows(word)}
    total = sum(words.values())
    if not total:
        return None
    known = 1 - sum(unknown.values()) / total
    if known >= KNOWN:
        return None
    return f"the model knows {known:.0%} of the words of dev: give more training texts of this kind"


def doubt_calibration(
    logits: NDArray[np.float32], truth: NDArray[np.int64], temperature: float
) -> str | None:
    """The doubt about dev texts that are too few or too easy to calibrate by; else None."""
    if temperature != 1.0 or calibration.can_sharpen(logits, truth):
        return None
    return (
        "the probabilities are not made surer than the model gives them: that takes "
        f"{calibration.MIN_TEXTS} dev texts, {calibration.MIN_ERRORS} of them labelled wrong, and "
        f"these are {len(truth):,}, {calibration.count_errors(logits, truth):,} of them wrong"
    )


def collect_doubts(doubts: Sequence[str | None]) -> tuple[str, ...]:
    """The doubts that there are."""
    return tuple(doubt for doubt in doubts if doubt is not None)


def _describe_range(difference: bootstrap.Difference) -> str:
    return f"95 % interval of the difference {difference.low:+.3f} to {difference.high:+.3f}"
