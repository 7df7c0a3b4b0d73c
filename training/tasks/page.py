"""The table of experiments in a Markdown page, whose rows are replaced one by one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from valence.training.tasks import task
from valence.training.tasks.records import Record
from valence.training.tasks.task import FIXED_SEED, Task

_OPENED, _CLOSED = "<!-- experiments -->", "<!-- /experiments -->"
_INTRODUCTION = """\
# Public tasks

Written by `make experiments`.
"""
_HEADER = (
    f"| task | train / dev texts | metric | seed {FIXED_SEED} | mean (seeds) | linear | goal | "
    "minutes | on |\n|---|---:|---|---:|---:|---:|---:|---:|---|"
)


def row(one: Task, found: Mapping[int, Record]) -> str:
    """The task's row, of its records of one recipe and data by seed, at least one.

    Figures are percentages, minutes are a training's, without reading and encoding.
    """
    seeds = sorted(found)
    first = found[seeds[0]]
    fixed = found.get(FIXED_SEED)
    mean = fmean(record.score for record in found.values())
    minutes = fmean(record.minutes for record in found.values())
    cells = (
        one.name,
        f"{first.train:,} / {first.dev:,}{' (own)' if first.own_dev else ''}",
        one.metric.replace("_", " "),
        "" if fixed is None else f"**{_percent(fixed.score)}**",
        f"{_percent(mean)} ({', '.join(map(str, seeds))})",
        _percent(first.baseline),
        _percent(one.goal),
        f"{minutes:.1f}",
        first.hardware,
    )
    return f"| {' | '.join(cells)} |"


def update(path: Path, name: str, line: str) -> None:
    """Put the row ``line`` of the task ``name`` into the table of ``path``; other rows stay."""
    page = path.read_text(encoding="utf-8") if path.is_file() else _INTRODUCTION
    before, opened, rest = page.partition(_OPENED)
    inside, _, after = rest.partition(_CLOSED)
    if not opened:
        before, after = f"{page.rstrip()}\n\n", "\n"
    rows = {match[1]: match[0] for match in re.finditer(r"^\| (\w+) \|.*$", inside, re.MULTILINE)}
    rows[name] = line
    table = "\n".join([_HEADER, *(rows[known] for known in task.names() if known in rows)])
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(f"{before}{_OPENED}\n{table}\n{_CLOSED}{after}", encoding="utf-8")
    unfinished.replace(path)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
