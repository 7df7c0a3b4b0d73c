"""``docs/measured/benchmarks``: one document per processor, and the page that lists them.

A document holds one section per part. The run that measured a part writes its section.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

_PACKAGES = ("torch", "numpy", "bentoml", "fastapi", "litserve", "onnxruntime")
# of the many flags of a processor, those that decide which dispatch path runs
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16")

_INTRODUCTION = """\
# Benchmarks

Written by `make bench`; do not edit. Everything was measured on one machine in one run. Subjects
take turns in several rounds, and a figure is the median over the rounds. Compare ratios within a
table: absolute figures depend on the machine that is named under the heading.
"""
_INDEX = """\
# Benchmarks

Written by `make bench`; do not edit. There is one page per processor, because the instructions of a
processor decide which dispatch path of the native engine runs, and this decides most ratios. Every
page has the same goals.

"""
_GOALS_HEAD = "| part | goal | wanted | measured | met |\n|---|---|---:|---:|---|"


@dataclass(frozen=True)
class Table:
    """Rows of cells under a head; ``note`` is the text above the table."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> str:
        """Return the table as Markdown; the first column is text, the others are figures."""
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"{len(row)} cells under {len(self.head)} columns: {row}")
        rule = ["---", *(["---:"] * (len(self.head) - 1))]
        lines = ["| " + " | ".join(map(_cell, cells)) + " |" for cells in (self.head, *self.rows)]
        lines.insert(1, "|" + "|".join(rule) + "|")
        return (f"{self.note}\n\n" if self.note else "") + "\n".join(lines)


@dataclass(frozen=True)
class Goal:
    """A goal and its measurement; with ``at_least`` ``wanted`` is a lower bound, else an upper
    bound.
    """

    name: str
    wanted: float
    measured: float
    unit: str = "x"
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Return whether the goal is met."""
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted

    def row(self, part: str) -> str:
        """Return the row in the table of goals."""
        sign = "≥" if self.at_least else "≤"
        return (
            f"| {part} | {_cell(self.name)} | {sign} {figure(self.wanted)}{self.unit} "
            f"| {figure(self.measured)}{self.unit} | {'yes' if self.met else '**no**'} |"
        )


@dataclass(frozen=True)
class Section:
    """The results of a part; ``picture`` is an SVG, which stands beside the document."""

    title: str
    text: str
    tables: Sequence[Table]
    goals: Sequence[Goal] = field(default=())
    picture: str = ""


def figure(value: float) -> str:
    """Format a number with three significant digits, or as an integer if it has more digits."""
    if value == 0 or not abs(value) < float("inf"):
        return f"{value:g}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f}" if abs(value) >= 0.1 else f"{value:.2g}"


def write(path: Path, sections: Mapping[str, Section], *, order: Sequence[str]) -> None:
    """Put ``sections`` (by part) into the document at ``path``; other parts stay unchanged.

    ``order`` names all parts.
    """
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    goals = []
    bodies = []
    pictures = {}
    for part in order:
        if part in sections:
            section = sections[part]
            goals += [goal.row(part) for goal in section.goals]
            body = _body(section)
            if section.picture:
                picture = path.with_name(f"{path.stem}-{part}.svg")
                pictures[picture] = section.picture
                body += f"\n\n![{section.title}]({picture.name})"
            bodies.append(_wrap(part, body))
        else:
            goals += re.findall(
                rf"^\| {re.escape(part)} \| .*\|$", _part(old, "goals"), re.MULTILINE
            )
            if kept := _part(old, part):
                bodies.append(_wrap(part, kept))
    table = _wrap("goals", "## Goals\n\n" + "\n".join([_GOALS_HEAD, *goals]))
    path.parent.mkdir(parents=True, exist_ok=True)
    for picture, content in pictures.items():
        picture.write_text(content, encoding="utf-8")
    path.write_text("\n".join([_INTRODUCTION, table, *bodies]), encoding="utf-8")


def write_index(path: Path, folder: Path) -> None:
    """List the documents of ``folder``, which is beside ``path``, with their machines and goals."""
    rows = []
    for document in sorted(folder.glob("*.md")):
        text = document.read_text(encoding="utf-8")
        found = re.search(r"^(\d{4}-\d\d-\d\d); ([^;]*);", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"{document} names no machine; remove it, or measure into it")
        verdicts = re.findall(r"\| (yes|\*\*no\*\*) \|$", _part(text, "goals"), re.MULTILINE)
        rows.append(
            [
                f"[{found.group(2)}]({folder.name}/{document.name})",
                found.group(1),
                f"{verdicts.count('yes')} of {len(verdicts)}",
            ]
        )
    table = Table(["processor", "measured", "goals met"], rows).markdown()
    path.write_text(_INDEX + table + "\n", encoding="utf-8")


def file_name(name: str, flags: set[str]) -> str:
    """Return the name of a processor's document: its ``name`` and the best of its ``flags``.

    In virtual machines very different processors are called "EPYC" or "Xeon".
    """
    best = [flag for flag in _FLAGS if flag in flags][-1:]
    words = re.findall(r"[a-z0-9]+", re.sub(r"\((R|TM)\)", "", " ".join([name, *best])).lower())
    return "-".join(words) + ".md"


def hardware() -> str:
    """Return one line about this machine."""
    name, flags = find_processor()
    has = ", ".join(flag for flag in _FLAGS if flag in flags) or "no vector flags known"
    gibibytes = psutil.virtual_memory().total / 2**30
    return (
        f"{name} ({has}), {len(os.sched_getaffinity(0))} cores, {gibibytes:.0f} GiB, "
        f"{platform.system()} {platform.release().split('-')[0]}"
    )


def find_processor() -> tuple[str, set[str]]:
    """Return the name and the instruction flags of this processor."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags |= set(value.split())
    return name, flags


def software() -> str:
    """Return one line about Python and the relevant packages."""
    installed = {found.name: found.version for found in metadata.distributions()}
    versions = [f"{name} {installed[name]}" for name in _PACKAGES if name in installed]
    return ", ".join([f"Python {platform.python_version()}", *versions])


def _body(section: Section) -> str:
    now = datetime.now(UTC)
    head = f"## {section.title}\n\n{now:%Y-%m-%d}; {hardware()}; {software()}."
    return "\n\n".join([head, section.text, *(table.markdown() for table in section.tables)])


def _wrap(part: str, body: str) -> str:
    return f"<!-- {part} -->\n{body.strip()}\n<!-- /{part} -->\n"


def _part(document: str, part: str) -> str:
    found = re.search(rf"<!-- {part} -->\n(.*?)\n<!-- /{part} -->", document, re.DOTALL)
    return found.group(1) if found else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
