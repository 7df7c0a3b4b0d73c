"""The effect of a fault: a row of the table that ``make chaos`` prints."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.trials.bench import report

_INTRODUCTION = """\
# Faults

Written by `make chaos`; do not edit. Each row has a fault, what was tried, what was lost, and
whether
the promise held.
"""


@dataclass(frozen=True)
class Finding:
    """One fault: what was ``tried``, what was ``lost``, and whether the ``promise`` was
    ``held``.
    """

    fault: str
    tried: str
    lost: str
    promise: str
    held: bool


def markdown(findings: Sequence[Finding]) -> str:
    """Return the table as Markdown."""
    head = "| fault | tried | lost or measured | promise | held |\n|---|---|---|---|---|\n"
    rows = "".join(
        f"| {f.fault} | {f.tried} | {f.lost} | {f.promise} | {'yes' if f.held else '**no**'} |\n"
        for f in findings
    )
    return head + rows


def publish(
    part: str, findings: Sequence[Finding], path: Path, *, introduction: str = _INTRODUCTION
) -> None:
    """Write the table of a part, with the machine, into ``path``; the tables of other parts stay.

    A new page begins with the ``introduction``.
    """
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    processor, _ = report.find_processor()
    machine = f"{processor}, {os.cpu_count()} cores, Linux {platform.release()}"
    opened, closed = f"<!-- {part} -->", f"<!-- /{part} -->"
    section = f"{opened}\n{day}; {machine}.\n\n{markdown(findings)}{closed}\n"
    page = path.read_text(encoding="utf-8") if path.exists() else introduction
    start, end = page.find(opened), page.find(closed)
    if start < 0:
        page += f"\n{section}"
    else:
        page = page[:start] + section + page[end + len(closed) + 1 :]
    path.write_text(page, encoding="utf-8")
