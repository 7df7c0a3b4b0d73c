"""``python -m tests.trials.gate``: test the gate, and write ``docs/measured/gate.md``."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.trials.bench.measure import say

if TYPE_CHECKING:
    from tests.trials.gate.challengers import Row
    from tests.trials.gate.kills import Outcome

PAGE = Path("docs/measured/gate.md")
HEAD = """\
# The gate, tried

Written by `make trial`; [how the gate decides](../decisions/0012-gate.md). Each run rewrites the
sections of the trials that it ran.
"""


def challengers(root: Path, cache: Path, reruns: int) -> bool:
    """Write the table of challengers after every row; return whether every verdict was right."""
    from tests.trials.gate.challengers import run

    started = time.monotonic()
    rows: list[Row] = []
    for row in run(root, cache, reruns=reruns):
        say(f"{row.challenger}: {row.verdict.summarize()}")
        rows.append(row)
        write("Worse, equal and better challengers", _table(rows, time.monotonic() - started))
    equal = [row for row in rows if row.challenger.startswith("equal")]
    promoted = sum(row.verdict.decision == "promoted" for row in equal)
    return promoted <= 1 and all(row.held for row in rows if row not in equal)


def _table(rows: Sequence[Row], seconds: float) -> str:
    from tests.trials.gate.challengers import TEXTS

    equal = [row for row in rows if row.challenger.startswith("equal")]
    promoted = sum(row.verdict.decision == "promoted" for row in equal)
    lines = [
        f"{TEXTS:,} sentences of the corpus `vader`, positive or negative, in a CSV file; a",
        f"network of 16 units; {seconds:,.0f} s in total. Of {len(equal)} equal challengers, which",
        f"are other seeds on the same data, {promoted} were promoted. The fourth column has the",
        "score by which the gate compares them: of the commonest label or the champion, of the",
        "challenger, and the interval of their difference.",
        "",
        "| challenger | should be | was | score | reasons |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        check, reasons = row.verdict.checks[0], "; ".join(row.verdict.reasons)
        figures = ""
        if check.champion is not None and check.low is not None:
            figures = (
                f"{check.name} {check.champion:.3f}, {check.challenger:.3f}, {check.low:+.3f} "
                f"to {check.high:+.3f}"
            )
        lines.append(
            f"| {row.challenger} | {row.wanted} | {row.verdict.decision} | {figures} | {reasons} |"
        )
    return "\n".join(lines)


def kills(root: Path, count: int) -> bool:
    """Write the effect of ``kill -9`` after each kill; return whether nothing was lost."""
    from tests.trials.gate.kills import run

    right = True
    for found in run(root, kills=count):
        right = not found.lost and found.completed == found.kills
        write("kill -9", _told(found, right=right))
        say(f"{found.kills} kills, {found.completed} runs completed after, lost: {found.lost}")
    return right


def _told(found: Outcome, *, right: bool) -> str:
    during = ", ".join(f"“{words} …” {times}" for words, times in found.during.most_common())
    told = f"{found.completed} of {found.kills} runs after a kill completed."
    if right:
        told = (
            f"{found.kills} runs got SIGKILL at random moments; {found.finished_first} of them\n"
            "had ended before. After every other kill the champion answered as before. After\n"
            f"all kills every listed version loads ({found.versions} at the end), and the next\n"
            f"run completed {found.completed} times of {found.kills}."
        )
    lost = "".join(f"\n- {fault}" for fault in found.lost)
    return f"{told}\n\nLast messages of the killed runs: {during}.\n{lost}".rstrip()


def write(title: str, content: str) -> None:
    """Replace the section ``title`` of the page, or add it."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else HEAD
    section = f"## {title}\n\n{content}\n"
    pattern = rf"^## {re.escape(title)}\n.*?(?=^## |\Z)"
    if re.search(pattern, page, re.DOTALL | re.MULTILINE):
        page = (
            re.sub(pattern, lambda _: section + "\n", page, flags=re.DOTALL | re.MULTILINE).rstrip()
            + "\n"
        )
    else:
        page = f"{page.rstrip()}\n\n{section}"
    PAGE.write_text(page, encoding="utf-8")


def main() -> None:
    """Run the requested trials; the exit code is 1 if a result is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("challengers", "kills"))
    parser.add_argument("--reruns", type=int, default=20, help="number of equal challengers")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--cache", type=Path, default=Path(".valence/corpora"))
    asked = parser.parse_args()
    right = True
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        # BentoML reads the variable at import, and it is not imported yet
        os.environ["BENTOML_HOME"] = str(root / "bentoml")
        os.environ["BENTOML_DO_NOT_TRACK"] = "True"
        if asked.only in (None, "challengers"):
            right &= challengers(root, asked.cache, asked.reruns)
        if asked.only in (None, "kills"):
            right &= kills(root, asked.kills)
    sys.exit(not right)


if __name__ == "__main__":
    main()
