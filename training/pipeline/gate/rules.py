"""The rules of the gate: all limits that a challenger must meet, each with its reason."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

Share = Field(ge=0.0, lt=1.0)


class Rules(BaseModel):
    """The limits of the gate; each verdict records its limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    confidence: float = Field(default=0.99, ge=0.5, lt=1.0)
    """Share of resamples in which the challenger's macro-F1 must be higher. The limit is 0.99, not
    0.95: a gate that runs every week would otherwise be passed by chance within a year."""
    slice_margin: float = Field(default=0.02, ge=0.0, lt=1.0)
    """Largest allowed loss of F1 on a slice. A larger loss fails if its whole interval is below 0,
    at 95 % for all slices together (Bonferroni)."""
    slice_texts: int = Field(default=50, ge=1)
    """Smaller slices are shown but not judged: on 50 texts an accuracy of 80 % is known to 11
    points at best."""
    calibration_margin: float = Field(default=0.02, ge=0.0, lt=1.0)
    """Largest allowed rise of the expected calibration error. A larger rise fails as on a slice."""
    unknown_margin: float = Field(default=0.02, ge=0.0, lt=1.0)
    """Largest allowed rise of the share of unknown words, which is counted, not estimated."""
    flip_margin: float = Field(default=0.02, ge=0.0, lt=1.0)
    """Largest allowed rise of the share of texts that change their label under a perturbation that
    keeps the meaning. A larger rise fails as on a slice, over all perturbations together."""
    latency_ratio: float = Field(default=1.5, gt=0.0)
    """Largest allowed time per text, relative to the champion. Another process on the same core
    changes the ratio by a fifth."""
    size_ratio: float = Field(default=1.5, gt=0.0)
    """Largest allowed size of the artifact in bytes, relative to the champion."""
    size_allowed: int = Field(default=20_000_000, ge=0)
    """Size in bytes that is always allowed: a vocabulary grows with its data, and this size is a
    twelfth of the memory of a server."""
    shadow_texts: int = Field(default=1_000, ge=1)
    """Fewest texts of clients that both versions scored, where shadow scoring is asked for: an
    agreement of 90 % is then known to 2 points."""
    shadow_agreement: float = Field(default=0.75, ge=0.0, le=1.0)
    """Smallest share of the texts with the same labels from both versions. A smaller one fails if
    its whole interval is smaller. A champion with an accuracy of 75 % disagrees with a perfect
    challenger on a quarter of the texts."""
    shadow_shift: float = Field(default=0.1, ge=0.0, le=1.0)
    """Largest shift of the distribution of labels, as total variation distance."""
    draws: int = Field(default=4_000, ge=100)
    """Number of resamples; see :mod:`valence.training.metrics.bootstrap`."""
    seed: int = 0
