"""Which rows of a file have no score or no text, counted by kind, with the places of the first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from valence.service.files.atomic_write import write_file
from valence.service.files.fault import Fault
from valence.service.score.sources import Part
from valence.service.score.texts import Scores

MISSING = "no text"
"""The kind of rows that are scored as an empty text."""
_PLACES_SHOWN = 5


@dataclass
class Kind:
    """So many rows, the first of them at ``places``."""

    count: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, count: int, places: Sequence[str]) -> None:
        """Add rows that are below those so far."""
        self.count += count
        self.places += places[: _PLACES_SHOWN - len(self.places)]

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.places) else ""
        return f"{self.count:,} ({', '.join(self.places)}{more})"


@dataclass
class Tally:
    """The number of rows, and the kinds of those without a score or a text."""

    rows: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)

    def count(self, kind: str, place: str) -> None:
        """Count a row of this ``kind``."""
        self.kinds.setdefault(kind, Kind()).add(1, (place,))

    def add(self, below: Tally) -> None:
        """Add what was found in rows that are below these."""
        self.rows += below.rows
        for name, kind in below.kinds.items():
            self.kinds.setdefault(name, Kind()).add(kind.count, kind.places)

    def describe(self, text_column: str, error_column: str) -> Iterator[str]:
        """Lines for the user about the rows without a text, and about those with an error."""
        kinds = dict(self.kinds)
        missing = kinds.pop(MISSING, None)
        if missing is not None:
            yield f"without a text in the column {text_column!r}: {missing}"
        for name, kind in kinds.items():
            yield f"with an error in the column {error_column!r}, {name}: {kind}"


def count_faults(part: Part, texts: Sequence[str | Fault], scores: Scores) -> Tally:
    """The faults of the rows of ``part``, which has these ``texts`` with these ``scores``."""
    tally = Tally()
    for index, (text, score) in enumerate(zip(texts, scores, strict=True)):
        fault = score[-1]
        if fault is not None:
            tally.count(fault.kind, part.find_place(index))
        elif not text or text.isspace():
            tally.count(MISSING, part.find_place(index))
    return tally


def write_tally(part: Path, tally: Tally) -> None:
    """Write the kinds of a ``tally`` beside the file ``part``, if it has any."""
    if tally.kinds:
        kinds = {name: (kind.count, kind.places) for name, kind in tally.kinds.items()}
        write_file(_find_tally(part), json.dumps(kinds))


def read_tally(part: Path) -> Tally:
    """The kinds that :func:`write_tally` wrote; the number of rows is not there."""
    try:
        kinds = json.loads(_find_tally(part).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Tally()
    return Tally(kinds={name: Kind(*values) for name, values in kinds.items()})


def _find_tally(part: Path) -> Path:
    return part.with_name(f"{part.name}.faults")
