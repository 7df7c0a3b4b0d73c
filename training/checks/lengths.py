"""Check for texts that are far longer or shorter than the others, or longer than max_tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from valence.service.classifier import tokenizer
from valence.training.checks.finding import Finding, Severity, make_finding
from valence.training.corpora.example import Example

# In a normal distribution of log lengths, one text in 15,000 on each side is beyond this many
# standard deviations; the lengths of real texts are close to log-normal.
OUTLIER_DEVIATIONS = 4.0
_MANY_OUTLIERS = 0.01
_MANY_CUT = 0.1


def lengths(examples: Sequence[Example], max_tokens: int) -> list[Finding]:
    """Check the numbers of tokens of the texts; ``max_tokens`` of a text are read."""
    if not examples:
        return []
    tokens = np.array([max(1, len(tokenizer.find_surfaces(example.text))) for example in examples])
    logarithms = np.log(tokens)
    median = np.median(logarithms)
    # In a normal distribution, the standard deviation is 1.4826 times the median absolute
    # deviation. The minimum leaves texts of nearly equal length a fifth of their length.
    deviation = max(1.4826 * float(np.median(np.abs(logarithms - median))), 0.2)
    found = []
    for strange, said in (
        (logarithms > median + OUTLIER_DEVIATIONS * deviation, "longer"),
        (logarithms < median - OUTLIER_DEVIATIONS * deviation, "shorter"),
    ):
        texts = [examples[index] for index in np.flatnonzero(strange).tolist()]
        if texts:
            many = len(texts) > _MANY_OUTLIERS * len(examples)
            message = (
                f"texts far {said} than the others, whose median is {np.exp(median):.0f} tokens; "
                "look whether they are texts of the kind that is to be classified"
            )
            severity: Severity = "warning" if many else "note"
            found.append(make_finding("lengths", severity, texts, len(examples), message))
    cut = [examples[index] for index in np.flatnonzero(tokens > max_tokens).tolist()]
    if len(cut) > _MANY_CUT * len(examples):
        message = f"texts longer than max_tokens, {max_tokens}: no more is read of them"
        found.append(make_finding("truncated", "note", cut, len(examples), message))
    return found
