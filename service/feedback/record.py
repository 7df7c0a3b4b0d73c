"""One piece of feedback as it is stored: what the monitor and the reports read.

A :class:`Record` has what the id of a prediction says, and the truth. Whoever reads feedback reads
records by :meth:`valence.service.feedback.store.Store.read`, and knows nothing of the database.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """A prediction and its true labels."""

    id: str
    """The id of the prediction; a store has one record of it, that of the last feedback."""
    model: str
    version: str
    time: float
    """When the prediction was made, in seconds since 1970."""
    predicted: tuple[str, ...] | None
    """The labels that the text got; None if neither the id nor the feedback names them."""
    score: float | None
    """The calibrated probability of the likeliest label; None if it is not known."""
    truth: tuple[str, ...]
    """The true labels: one, or any number for a multi-label model."""
    received: float
    """When the feedback came, in seconds since 1970."""
    source: str = ""
    """Who says so, if the operator keeps that."""
    text: str = ""
    """The text, if the operator keeps texts."""

    @property
    def correct(self) -> bool | None:
        """Whether the prediction was right; None if it is not known."""
        return None if self.predicted is None else set(self.predicted) == set(self.truth)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records are read; an empty field selects all."""

    model: str = ""
    version: str = ""
    since: float | None = None
    """Predictions made at this time or later, in seconds since 1970."""
    until: float | None = None
    """Predictions made before this time."""
