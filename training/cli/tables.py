"""Scores as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from valence.training.evaluation.assessment.assessment import Assessment
    from valence.training.evaluation.assessment.outside import OutsideAssessment
    from valence.training.metrics.scores import Evaluation
    from valence.training.pipeline.gate.verdict import Verdict

# figures of which less is better, by the names of an evaluation and of the checks of the gate
_ERRORS = frozenset({"ece", "brier", "calibration error", "label changes"})


def scores(rows: Mapping[str, Evaluation]) -> Table:
    """A row for each evaluation, under its name."""
    table = Table("", "texts", "accuracy", "micro-F1", "macro-F1", "macro recall", "ECE", "Brier")
    for name, value in rows.items():
        figures = (
            value.accuracy,
            value.micro_f1,
            value.macro_f1,
            value.macro_recall,
            value.ece,
            value.brier,
        )
        table.add_row(name, f"{value.count:,}", *(f"{figure:.4f}" for figure in figures))
    return table


def tell_outside(found: OutsideAssessment) -> str:
    """A line on the texts that a model calls outside its labels."""
    line = (
        f"outside the labels (score {found.threshold:.4f} or more): {found.lost:,} of "
        f"{found.texts:,} texts, {found.lost / found.texts:.1%}"
    )
    if found.auroc is None or found.ece is None:
        return line
    return (
        f"{line}; of {found.outside_texts:,} that belong to none {found.found:,}, "
        f"{found.found / found.outside_texts:.1%} (AUROC {found.auroc:.4f}, ECE {found.ece:.4f})"
    )


def judge_change(name: str, low: float, high: float) -> tuple[str, str]:
    """What the interval of a change says, and its colour: green is better, red is worse."""
    if low <= 0 <= high:
        return "may be chance", "dim"
    return ("better", "green") if (low > 0) != (name in _ERRORS) else ("worse", "red")


def assessment(found: Assessment) -> Iterator[Table | str]:
    """Intervals, the comparison, slices, behaviour, what is gained by leaving doubtful texts."""
    titles = ("accuracy", "micro_f1", "macro_f1", "macro_recall", "ece", "brier")
    table = Table(f"{found.model} ({escape(found.data)})", "value", "95 % interval")
    for name in titles:
        low, high = found.intervals[name]
        value = getattr(found.evaluation, name)
        table.add_row(name, f"{value:.4f}", f"{low:.4f} to {high:.4f}")
    yield table
    if found.comparison is not None:
        beside = found.comparison
        yield (
            f"{beside.only_model:,} texts only {found.model} got right, {beside.only_other:,} only "
            f"{beside.other}: McNemar's exact p = {beside.mcnemar_p:.4g}"
        )
        table = Table(f"less {beside.other}", "change", "95 % interval", "")
        for name in titles:
            change = beside.changes[name]
            verdict, style = judge_change(name, change.low, change.high)
            within = f"{change.low:+.4f} to {change.high:+.4f}"
            table.add_row(name, f"{change.value:+.4f}", within, verdict, style=style)
        yield table
    if found.outside is not None:
        yield tell_outside(found.outside)
    other = ("other",) if found.comparison else ()
    table = Table("kind", "of text", "texts", "accuracy, F1 of a label", "95 % interval", *other)
    for part in found.slices:
        within = f"{part.low:.4f} to {part.high:.4f}"
        beside_it = () if part.against is None else (f"{part.against:.4f}",)
        table.add_row(
            escape(part.kind), escape(part.name), f"{part.texts:,}", f"{part.value:.4f}", within,
            *beside_it,
        )  # fmt: skip
    yield table
    table = Table("behaviour", "test", "cases", "passed", "rate", "95 % interval", *other)
    for one in found.behaviour:
        low, high = one.interval
        beside_it = () if one.against is None else (f"{one.against:.1%}",)
        table.add_row(
            one.name, one.kind, f"{one.tried:,}", f"{one.passed:,}", f"{one.rate:.1%}",
            f"{low:.1%} to {high:.1%}", *beside_it,
        )  # fmt: skip
    yield table
    table = Table("min_confidence", "coverage", "precision")
    for point in found.selective.at_threshold:
        precision = f"{point.precision:.1%}" if point.coverage else "of no text"
        table.add_row(f"{point.threshold:.2f}", f"{point.coverage:.1%}", precision)
    for wanted, reached in found.selective.at_precision.items():
        if reached is None:
            table.add_row("none", "", f"{float(wanted):.0%} is not reached")
        else:
            share = f"{reached.precision:.1%} (wanted {float(wanted):.0%})"
            table.add_row(f"{reached.threshold:.4f}", f"{reached.coverage:.1%}", share)
    yield table


def verdict(found: Verdict) -> Table:
    """The checks of a verdict, each in the colour of its difference; FAILED is red in any."""
    table = Table(*found.TITLES)
    for check, row in zip(found.checks, found.list_rows(), strict=True):
        style = ""
        if check.champion is not None and check.low is not None and check.high is not None:
            # the name "label changes, typing errors" has a figure and where it was measured
            _, style = judge_change(check.name.partition(",")[0], check.low, check.high)
        *cells, result = map(escape, row)
        if check.passed is False:
            result = f"[not dim bold red]{result}[/]"
        table.add_row(*cells, result, style=style)
    return table
