"""One text of the sample, and what it is kept for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

SampleReason = Literal["uncertain", "drifting", "diverse"]
SAMPLE_REASONS: tuple[SampleReason, ...] = get_args(SampleReason)


@dataclass(frozen=True, slots=True)
class SampledText:
    """A text that a client sent, with the answer."""

    id: str
    """A hash of the model and the text: a copy has the same one."""
    model: str
    version: str
    time: float
    """When it was answered, in seconds since 1970."""
    reason: SampleReason
    priority: float
    """Of each model and reason, the texts of the highest priorities are kept."""
    predicted: tuple[str, ...]
    score: float
    """The calibrated probability of the likeliest label."""
    text: str
