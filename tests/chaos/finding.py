"""What a fault did: a row of the table that ``make chaos`` prints."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One fault: what was ``tried``, what was ``lost`` by it, and whether the promise ``held``."""

    fault: str
    tried: str
    lost: str
    promise: str
    held: bool


def markdown(findings: Sequence[Finding]) -> str:
    """The table, with the machine it was made on."""
    head = "| fault | tried | lost or measured | promise | held |\n|---|---|---|---|---|\n"
    rows = "".join(
        f"| {f.fault} | {f.tried} | {f.lost} | {f.promise} | {'yes' if f.held else '**no**'} |\n"
        for f in findings
    )
    return head + rows


def publish(findings: Sequence[Finding], path: Path) -> None:
    """Write the table into ``path``."""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"
    path.write_text(
        "# Faults\n\nWritten by `make chaos`; do not edit. Each row is a fault, what was tried, "
        "what was lost by it, and whether the promise held. "
        f"{day}; {machine}.\n\n{markdown(findings)}",
        encoding="utf-8",
    )
