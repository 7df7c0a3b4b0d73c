"""Scores as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from training.evaluation import Evaluation


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
