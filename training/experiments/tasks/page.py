"""The table of experiments in a Markdown page; each row is replaced separately."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from valence.service.files.atomic_write import write_file
from valence.training.experiments.tasks import task
from valence.training.experiments.tasks.records import Record
from valence.training.experiments.tasks.task import FIXED_SEED, Task

_START, _END = "<!-- experiments -->", "<!-- /experiments -->"
_INTRODUCTION = """\
# Public tasks

Written by `make experiments`.
"""
_HEADER = (
    f"| task | train / dev texts | metric | seed {FIXED_SEED} | mean (seeds) | linear | goal | "
    "minutes | on |\n|---|---:|---|---:|---:|---:|---:|---:|---|"
)


def format_row(recipe: Task, results: Mapping[int, Record]) -> str:
    """The row of a task. ``results`` holds the records of one recipe by seed, at least one.

    Scores are percentages. Minutes are of one training, without reading and encoding.
    """
    seeds = sorted(results)
    first = results[seeds[0]]
    fixed = results.get(FIXED_SEED)
    mean = fmean(record.score for record in results.values())
    minutes = fmean(record.minutes for record in results.values())
    cells = (
        recipe.name,
        f"{first.train:,} / {first.dev:,}{' (own)' if first.own_dev else ''}",
        recipe.metric.replace("_", " "),
        "" if fixed is None else f"**{_format_percent(fixed.score)}**",
        f"{_format_percent(mean)} ({', '.join(map(str, seeds))})",
        _format_percent(first.baseline),
        _format_percent(recipe.goal),
        f"{minutes:.1f}",
        first.hardware,
    )
    return f"| {' | '.join(cells)} |"


def update_row(path: Path, name: str, line: str) -> None:
    """Write the row ``line`` of the task ``name`` into the table of ``path``; keep other rows."""
    page = path.read_text(encoding="utf-8") if path.is_file() else _INTRODUCTION
    before, start, rest = page.partition(_START)
    inside, _, after = rest.partition(_END)
    if not start:
        before, after = f"{page.rstrip()}\n\n", "\n"
    rows = {match[1]: match[0] for match in re.finditer(r"^\| (\w+) \|.*$", inside, re.MULTILINE)}
    rows[name] = line
    table = "\n".join(
        [_HEADER, *(rows[known] for known in task.list_task_names() if known in rows)]
    )
    write_file(path, f"{before}{_START}\n{table}\n{_END}{after}")


def _format_percent(share: float) -> str:
    return f"{100 * share:.1f}"
