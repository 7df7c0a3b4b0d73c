"""Write the findings: JSON for programs, a page and Markdown for people, a table of suspects."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ConfigDict
from valence.service.files.atomic_write import replace_file, write_file
from valence.training.checks.finding import Finding, Severity, locate
from valence.training.checks.suite import Checked
from valence.training.report.environment import make_environment

JSON, MARKDOWN, SUSPECTS = "findings.json", "findings.md", "suspects.csv"
PAGE = "findings.html"
_PLACES_SHOWN = 20


class Report(BaseModel):
    """The content of the JSON file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    texts: int
    findings: tuple[Finding, ...]


def write_report(folder: Path, checked: Checked, *, name: str, texts: int) -> None:
    """Write the findings about the ``texts`` texts of the model ``name`` into ``folder``.

    The table of suspects quotes the texts, because the person who corrects labels must read them.
    The other files quote no text.
    """
    report = Report(name=name, texts=texts, findings=checked.findings)
    write_file(folder / JSON, report.model_dump_json(indent=2) + "\n")
    write_file(folder / MARKDOWN, _markdown(report))
    suspects = SUSPECTS if checked.suspects else ""
    write_file(folder / PAGE, render_html(report, suspects=suspects).encode(errors="replace"))
    # of a row's parts none is a formula to a spreadsheet that opens the file: see _plain
    with (
        replace_file(folder / SUSPECTS) as unfinished,
        unfinished.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(("place", "label", "suggested", "probability", "of_suggested", "text"))
        for one in checked.suspects:
            label = str(one.example.label)
            probabilities = (f"{one.given_probability:.4f}", f"{one.suggested_probability:.4f}")
            writer.writerow(
                (
                    locate(one.example),
                    _plain(label),
                    _plain(one.suggested),
                    *probabilities,
                    _plain(one.example.text),
                )
            )


def render_html(report: Report, *, suspects: str) -> str:
    """The page; ``suspects`` is the name of the file with the likeliest wrong labels, if any."""
    severities = Counter(one.severity for one in report.findings)
    return (
        make_environment(escaped=True)
        .get_template("checks.html.jinja")
        .render(
            report=report,
            counts={name: severities[name] for name in get_args(Severity)},
            suspects=suspects,
        )
    )


def _plain(value: str) -> str:
    """``value``, as a text also to a spreadsheet."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _markdown(report: Report) -> str:
    lines = [f"# Data of `{report.name}`", "", f"{report.texts:,} texts.", ""]
    if not report.findings:
        return "\n".join([*lines, "Nothing was found.", ""])
    lines += ["| check | severity | texts | share | |", "|---|---|---:|---:|---|"]
    for one in report.findings:
        said = one.message.replace("|", "\\|")
        lines.append(f"| {one.check} | {one.severity} | {one.count:,} | {one.share:.2%} | {said} |")
    for one in report.findings:
        if one.places:
            lines += ["", f"## {one.check}", "", *(f"- {at}" for at in one.places[:_PLACES_SHOWN])]
            if one.count > _PLACES_SHOWN:
                lines.append(f"- and {one.count - _PLACES_SHOWN:,} more")
    return "\n".join([*lines, ""])
