"""Colours of tables mean something: green is better, red is worse, dim is chance."""

from __future__ import annotations

import pytest
from valence.training.checks.finding import Finding
from valence.training.cli import check, tables


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
