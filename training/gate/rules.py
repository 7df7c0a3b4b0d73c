"""What a challenger must reach: every limit of the gate, in one place, with its reason."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

Share = Field(ge=0.0, lt=1.0)


class Rules(BaseModel):
    """Limits of the gate; a verdict records those it was reached by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    confidence: float = Field(default=0.99, ge=0.5, lt=1.0)
    """Share of resamples in which the challenger's macro-F1 must be higher. 0.99, not 0.95: a gate
    that runs every week would otherwise be passed by luck within the year."""
    slice_margin: float = Field(default=0.02, ge=0.0, lt=1.0)
    """How much lower F1 may be on a slice. More fails if chance is ruled out, too: the whole
    interval is below 0, at 95 % for all slices together (Bonferroni)."""
    slice_texts: int = Field(default=50, ge=1)
    """Slices of fewer texts are shown and not judged: on 50 texts an accuracy of 80 % is known to
    11 points at best."""
    calibration_margin: float = Field(default=0.02, ge=0.0, lt=1.0)
    """How much higher the expected calibration error may be; more fails as on a slice."""
    unknown_margin: float = Field(default=0.02, ge=0.0, lt=1.0)
    """How much larger the share of unknown words may be. It is counted, not estimated."""
    flip_margin: float = Field(default=0.02, ge=0.0, lt=1.0)
    """How many more texts may change their label when rewritten without change of meaning; more
    fails as on a slice, over all behaviours together."""
    latency_ratio: float = Field(default=1.5, gt=0.0)
    """Time a text, over the champion's. A neighbour on the same core moves it by a fifth."""
    size_ratio: float = Field(default=1.5, gt=0.0)
    """Bytes of the artifact, over the champion's."""
    size_allowed: int = Field(default=20_000_000, ge=0)
    """Bytes that are never too many: a vocabulary grows with its data, and this is a twelfth of
    what a server needs."""
    draws: int = Field(default=4_000, ge=100)
    """Resamples; see :mod:`valence.training.comparison.bootstrap`."""
    seed: int = 0
