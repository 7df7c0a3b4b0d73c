"""The findings of the data checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from valence.training.corpora.example import Example

Severity = Literal["error", "warning", "note"]

_PLACES_KEPT = 100


class Finding(BaseModel):
    """One finding about the data. It names the places of texts, and never quotes a text."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    check: str
    severity: Severity = Field(description="error: training stops; note: nothing to do")
    count: int = Field(ge=0, description="texts that the finding is about")
    share: float = Field(ge=0.0, le=1.0, description="of the texts that were checked")
    message: str = Field(description="what was found, and what to do")
    places: tuple[str, ...] = Field(
        default=(), description=f"the places of the first {_PLACES_KEPT} texts"
    )

    def line(self) -> str:
        """The finding as one line of a log, without the places."""
        return f"{self.severity}: {self.check}: {self.count:,} ({self.share:.1%}) {self.message}"


def locate(example: Example) -> str:
    """The place of a text: its corpus or file, and its line, row or number there."""
    return f"{example.corpus}, {example.place}" if example.place else example.corpus


def locate_all(examples: Iterable[Example]) -> tuple[str, ...]:
    """The places of the first of ``examples``."""
    return tuple(locate(example) for example, _ in zip(examples, range(_PLACES_KEPT), strict=False))


def make_finding(
    check: str,
    severity: Severity,
    examples: Sequence[Example],
    total: int,
    message: str,
) -> Finding:
    """A finding about ``examples``, of ``total`` texts that were checked."""
    return Finding(
        check=check,
        severity=severity,
        count=len(examples),
        share=len(examples) / total if total else 0.0,
        message=message,
        places=locate_all(examples),
    )
