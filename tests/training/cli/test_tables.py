"""Colours of tables mean something: green is better, red is worse, dim is chance."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from valence.training.checks.finding import Finding
from valence.training.cli import check, tables
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.verdict import Check, Verdict


@pytest.mark.parametrize(
    ("name", "low", "high", "told"),
    [
        ("accuracy", 0.01, 0.03, ("better", "green")),
        ("accuracy", -0.03, -0.01, ("worse", "red")),
        ("macro_f1", -0.01, 0.02, ("may be chance", "dim")),
        ("ece", -0.03, -0.01, ("better", "green")),
        ("brier", 0.01, 0.03, ("worse", "red")),
        ("brier", 0.0, 0.03, ("may be chance", "dim")),
    ],
)
def test_a_change_is_judged_by_its_interval(
    name: str, low: float, high: float, told: tuple[str, str]
) -> None:
    assert tables.judge_change(name, low, high) == told


def test_severities_have_colours_and_messages_stay_literal() -> None:
    findings = tuple(
        Finding(check="lengths", severity=severity, count=1, share=0.5, message="[bold] is text")
        for severity in ("error", "warning", "note")
    )
    table = check.make_table(findings)
    assert list(table.columns[1].cells) == [
        "[red]error[/]",
        "[yellow]warning[/]",
        "[dim]note[/]",
    ]
    assert list(table.columns[4].cells) == ["\\[bold] is text"] * 3


@pytest.mark.parametrize(
    ("name", "bounds", "passed", "style"),
    [
        ("macro-F1", (0.01, 0.03), True, "green"),
        ("macro-F1", (-0.01, 0.03), False, "dim"),
        ("F1, domain [film]", (-0.03, -0.01), None, "red"),
        ("calibration error", (0.01, 0.03), True, "red"),
        ("label changes, typing errors", (-0.03, -0.01), True, "green"),
        ("megabytes", (None, None), True, ""),
        ("megabytes", (None, None), False, ""),
    ],
)
def test_a_check_has_the_colour_of_its_difference(
    name: str, bounds: tuple[float | None, float | None], passed: bool | None, style: str
) -> None:
    low, high = bounds
    one = Check(
        name=name, passed=passed, limit="", champion=0.5, challenger=0.6, low=low, high=high
    )
    table = tables.verdict(make_verdict(one))
    assert [row.style for row in table.rows] == [style]
    (result,) = table.columns[-1].cells
    assert ("red" in str(result)) is (passed is False)
    console = Console(width=200, file=io.StringIO(), force_terminal=True)
    console.print(table)
    assert name in console.file.getvalue()


def test_a_share_without_a_champion_is_no_change() -> None:
    agreement = Check(name="shadow: agreement", passed=True, limit="", low=0.9, high=0.99)
    assert [row.style for row in tables.verdict(make_verdict(agreement)).rows] == [""]


def make_verdict(*checks: Check) -> Verdict:
    return Verdict(
        model="toy",
        challenger="toy:2",
        champion="toy:1",
        decision="kept",
        at="2026-12-01T06:00:00+00:00",
        held_out_texts=400,
        held_out="test texts",
        rules=Rules(),
        checks=checks,
    )
