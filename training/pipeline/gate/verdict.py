"""The verdict of the gate, with its reasons: JSON for programs, tables for people."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict
from valence.service.files.atomic_write import write_file
from valence.training.pipeline.gate.rules import Rules

Decision = Literal["promoted", "kept"]
LINEAR_CHECK = "macro-F1 beside the linear model"


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(_FrozenModel):
    """One check of the gate.

    ``passed`` is None where there were too few texts. ``champion`` and ``challenger`` are the
    compared values, ``low`` and ``high`` the bounds of their difference.
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
    """Why the check failed, in one sentence; empty if it did not fail."""


class Verdict(_FrozenModel):
    """A verdict; its fields are the JSON file."""

    TITLES: ClassVar = ("check", "texts", "champion", "challenger", "difference", "limit", "")

    model: str
    challenger: str
    champion: str | None
    """The champion at the time of the verdict; None for the first version of a model."""
    decision: Decision
    at: str
    """UTC, ISO 8601."""
    held_out_texts: int
    held_out: str
    """The texts of the comparison, and why neither model was trained on them."""
    adopted: tuple[Check, ...] = ()
    """The checks by which the version that was served became the champion, if this run made it
    the champion."""
    data: tuple[str, ...] = ()
    """The findings of the data checks, and doubts about the challenger: not reasons of the verdict,
    but often the cause."""
    rules: Rules
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the champion was kept; empty for a promotion."""
        return tuple(check.reason for check in self.checks if check.passed is False)

    def summarize(self) -> str:
        """The verdict in one line."""
        if self.decision == "promoted":
            instead = f" instead of {self.champion}" if self.champion else ", the first"
            return (
                f"promoted: {self.challenger} is champion{instead}{self._describe_linear_model()}"
            )
        stays = f"{self.champion} stays champion" if self.champion else "there is no champion"
        return f"kept: {stays}, {self.challenger} is not promoted: " + "; ".join(self.reasons)

    def _describe_linear_model(self) -> str:
        """The comparison of a first version with the linear model; empty if there is none."""
        for check in self.checks:
            if check.name == LINEAR_CHECK and check.champion is not None:
                return (
                    f"; macro-F1 {check.challenger:.3f}, a linear model's {check.champion:.3f} "
                    f"(difference {check.low:+.3f} to {check.high:+.3f})"
                )
        return ""

    def render_markdown(self) -> str:
        """The verdict as a Markdown page."""
        lines = [
            f"# {self.model}: {self.decision}",
            "",
            self.summarize() + ".",
            "",
            f"Compared on {self.held_out_texts:,} texts: {self.held_out}.",
            "",
            "| " + " | ".join(self.TITLES) + " |",
            "|---|---:|---:|---:|---|---|---|",
            *("| " + " | ".join(row) + " |" for row in self.list_rows()),
        ]
        if self.adopted:
            lines += ["", f"{self.champion}, the served version, became the champion by:", ""]
            lines += [f"- {_describe_check(check)}" for check in self.adopted]
        if self.data:
            lines += ["", "The data:", "", *(f"- {finding}" for finding in self.data)]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> Path:
        """Write ``CHALLENGER-TIME.json`` and ``.md`` into ``folder``.

        Returns the path of the JSON file.
        """
        # the time keeps earlier verdicts on the same challenger
        moment = self.at.partition("+")[0].replace(":", "").replace("-", "")
        path = folder / f"{self.challenger.replace(':', '-')}-{moment}.json"
        for target, content in (
            (path.with_suffix(".md"), self.render_markdown()),
            (path, self.model_dump_json(indent=2) + "\n"),
        ):
            write_file(target, content)
        return path

    def list_rows(self) -> list[tuple[str, ...]]:
        """The checks in words, a cell for each of :data:`TITLES`."""
        results = {True: "passed", False: "FAILED", None: "not judged"}
        return [
            (
                check.name,
                "" if check.texts is None else f"{check.texts:,}",
                _format_value(check.champion),
                _format_value(check.challenger),
                ""
                if check.low is None or check.high is None
                else f"{check.low:+.4f} to {check.high:+.4f}",
                check.limit,
                results[check.passed],
            )
            for check in self.checks
        ]


def _describe_check(check: Check) -> str:
    return (
        f"{check.name}: {_format_value(check.challenger)} and {_format_value(check.champion)} "
        f"({check.limit})"
    )


def _format_value(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
