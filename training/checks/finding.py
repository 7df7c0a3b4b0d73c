"""What a check says about data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from valence.training.corpora.example import Example

Severity = Literal["error", "warning", "note"]

_PLACES_KEPT = 100


class Finding(BaseModel):
    """One thing found in the data. It says where texts are, and never quotes one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    check: str
    severity: Severity = Field(description="error: training stops; note: nothing to do")
    count: int = Field(ge=0, description="texts it is about")
    share: float = Field(ge=0.0, le=1.0, description="of the texts that were looked at")
    message: str = Field(description="what it is, and what to do")
    places: tuple[str, ...] = Field(
        default=(), description=f"where the texts are, the first {_PLACES_KEPT}"
    )

    def line(self) -> str:
        """For a log, without the places."""
        return f"{self.severity}: {self.check}: {self.count:,} ({self.share:.1%}) {self.message}"


def locate(example: Example) -> str:
    """Where a text is: its corpus or file, and its line, row or number there."""
    return f"{example.corpus}, {example.place}" if example.place else example.corpus


def locate_all(examples: Iterable[Example]) -> tuple[str, ...]:
    """Where the first of ``examples`` are."""
    return tuple(locate(example) for example, _ in zip(examples, range(_PLACES_KEPT), strict=False))


def make_finding(
    check: str,
    severity: Severity,
    examples: Sequence[Example],
    total: int,
    message: str,
) -> Finding:
    """A finding about ``examples``, of ``total`` that were looked at."""
    return Finding(
        check=check,
        severity=severity,
        count=len(examples),
        share=len(examples) / total if total else 0.0,
        message=message,
        places=locate_all(examples),
    )
