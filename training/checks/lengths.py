"""Texts that are much longer or shorter than the others, or longer than is read of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from valence.service.classifier import tokenizer
from valence.training.checks.finding import Finding, Severity, make_finding
from valence.training.corpora.example import Example

# Of a normal distribution of log lengths, beyond this many standard deviations lies one text in
# 15,000 on each side; lengths of real texts are close to log-normal
OUTLIER_DEVIATIONS = 4.0
_MANY_OUTLIERS = 0.01
_MANY_CUT = 0.1


def lengths(examples: Sequence[Example], max_tokens: int) -> list[Finding]:
    """Judge how many tokens the texts have, of which ``max_tokens`` are read."""
    if not examples:
        return []
    tokens = np.array([max(1, len(tokenizer.find_surfaces(example.text))) for example in examples])
    logarithms = np.log(tokens)
    median = np.median(logarithms)
    # of a normal distribution 1.4826 times the median absolute deviation is the standard deviation;
    # texts all but equally long get room of a fifth of their length
    deviation = max(1.4826 * float(np.median(np.abs(logarithms - median))), 0.2)
    found = []
    for strange, said in (
        (logarithms > median + OUTLIER_DEVIATIONS * deviation, "longer"),
        (logarithms < median - OUTLIER_DEVIATIONS * deviation, "shorter"),
    ):
        texts = [examples[place] for place in np.flatnonzero(strange).tolist()]
        if texts:
            many = len(texts) > _MANY_OUTLIERS * len(examples)
            message = (
                f"texts far {said} than the others, whose median is {np.exp(median):.0f} tokens; "
                "look whether they are texts of the kind that is to be classified"
            )
            severity: Severity = "warning" if many else "note"
            found.append(make_finding("lengths", severity, texts, len(examples), message))
    cut = [examples[place] for place in np.flatnonzero(tokens > max_tokens).tolist()]
    if len(cut) > _MANY_CUT * len(examples):
        message = f"texts longer than max_tokens, {max_tokens}: no more is read of them"
        found.append(make_finding("truncated", "note", cut, len(examples), message))
    return found
