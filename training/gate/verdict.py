"""What the gate decided and why: as a file for machines, as a table for people."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from rich.table import Table
from valence.training.gate.rules import Rules

Decision = Literal["promoted", "kept"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(_Part):
    """One thing that was looked at.

    ``passed`` is None where there was too little to judge by. ``champion`` and ``challenger`` are
    the figures compared, ``low`` and ``high`` bound their difference.
    """

    name: str
    passed: bool | None
    limit: str
    texts: int | None = None
    champion: float | None = None
    challenger: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    """Why it failed, in a sentence; empty if it did not."""


class Verdict(_Part):
    """The whole of a verdict's JSON file."""

    model: str
    challenger: str
    champion: str | None
    """Who was champion when the challenger came; None for the first version of a model."""
    decision: Decision
    at: str
    """UTC, ISO 8601."""
    held_out_texts: int
    held_out: str
    """Which texts they are compared on, and how it is known that neither was trained on them."""
    data: tuple[str, ...] = ()
    """What the checks of the data say: no reasons by themselves, but often the cause."""
    rules: Rules
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the champion was kept; none for a promotion."""
        return tuple(check.reason for check in self.checks if check.passed is False)

    def summary(self) -> str:
        """One line."""
        if self.decision == "promoted":
            instead = f" instead of {self.champion}" if self.champion else ", the first"
            return f"promoted: {self.challenger} is champion{instead}"
        stays = f"{self.champion} stays champion" if self.champion else "there is no champion"
        return f"kept: {stays}, {self.challenger} is not promoted: " + "; ".join(self.reasons)

    def table(self) -> Table:
        """For a terminal."""
        made = Table("check", "texts", "champion", "challenger", "difference", "limit", "")
        for row in self._rows():
            made.add_row(*row)
        return made

    def markdown(self) -> str:
        """For a page."""
        head = ("check", "texts", "champion", "challenger", "difference", "limit", "")
        lines = [
            f"# {self.model}: {self.decision}",
            "",
            self.summary() + ".",
            "",
            f"Compared on {self.held_out_texts:,} texts: {self.held_out}.",
            "",
            "| " + " | ".join(head) + " |",
            "|---|---:|---:|---:|---|---|---|",
            *("| " + " | ".join(row) + " |" for row in self._rows()),
        ]
        if self.data:
            lines += ["", "The data:", "", *(f"- {finding}" for finding in self.data)]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> Path:
        """Write ``CHALLENGER-TIME.json`` and ``.md`` into ``folder``; the path of the first."""
        folder.mkdir(parents=True, exist_ok=True)
        # a verdict is kept, even of a challenger that is judged again
        moment = self.at.partition("+")[0].replace(":", "").replace("-", "")
        path = folder / f"{self.challenger.replace(':', '-')}-{moment}.json"
        for target, content in (
            (path.with_suffix(".md"), self.markdown()),
            (path, self.model_dump_json(indent=2) + "\n"),
        ):
            unfinished = target.with_name(f".{target.name}")
            unfinished.write_text(content, encoding="utf-8")
            unfinished.replace(target)
        return path

    def _rows(self) -> list[tuple[str, ...]]:
        words = {True: "passed", False: "FAILED", None: "not judged"}
        return [
            (
                check.name,
                "" if check.texts is None else f"{check.texts:,}",
                _figure(check.champion),
                _figure(check.challenger),
                ""
                if check.low is None or check.high is None
                else f"{check.low:+.4f} to {check.high:+.4f}",
                check.limit,
                words[check.passed],
            )
            for check in self.checks
        ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
