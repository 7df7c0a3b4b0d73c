"""``valence feedback``: read, count and delete the true labels that a service has stored."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from valence.service.errors import ConfigurationError
from valence.training.cli.feedback_store import DatabaseOption, open_sample, open_store

if TYPE_CHECKING:
    from valence.service.feedback.record import Selection
    from valence.training.evaluation.served import ServedReport
    from valence.training.metrics.bootstrap import Interval

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

_ModelOption = Annotated[
    str, typer.Option(help="A model, as name or name:version.", show_default=False)
]
_SinceOption = Annotated[
    str,
    typer.Option(
        help="Predictions of this day (UTC, such as 2026-01-31) or later.", show_default=False
    ),
]


_SampleOption = Annotated[
    bool,
    typer.Option(
        "--sample", help="The sample of texts (VALENCE_SAMPLE_TEXTS) instead of the feedback."
    ),
]


@app.callback()
def feedback() -> None:
    """Read, count and delete true labels that POST /v1/feedback has stored."""


@app.command()
def export(
    *,
    database: DatabaseOption = "",
    model: _ModelOption = "",
    since: _SinceOption = "",
    sample: _SampleOption = False,
) -> None:
    """Write feedback as JSON lines: what was predicted, the truth, and the text if it is kept."""
    if sample:
        if since:
            raise ConfigurationError(
                "--since selects feedback, and a sample has none; leave it out"
            )
        with open_sample(database) as texts:
            for one in texts.read(model):
                _write_line(dataclasses.asdict(one), ("time",))
        return
    selection = _select(model, since)
    with open_store(database) as store:
        for record in store.read(selection):
            fields = dataclasses.asdict(record)
            # a column that training reads, as `valence train --label label`
            fields["label"] = record.truth[0] if len(record.truth) == 1 else list(record.truth)
            _write_line(fields, ("time", "received"))


def _write_line(fields: dict[str, Any], moments: tuple[str, ...]) -> None:
    for name in moments:
        moment = datetime.fromtimestamp(fields[name], UTC)
        fields[name] = moment.isoformat(timespec="milliseconds")
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")


@app.command()
def report(
    *,
    database: DatabaseOption = "",
    model: _ModelOption = "",
    since: _SinceOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="All figures as JSON.")] = False,
) -> None:
    """Tell accuracy, macro-F1 and calibration of what was served, with 95 % intervals."""
    from valence.training.evaluation.served import measure

    with open_store(database) as store:
        reports = measure(store.read(_select(model, since)))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(found) for found in reports], indent=2))
        return
    for found in reports:
        for line in _make_lines(found):
            typer.echo(line)
    if not reports:
        typer.echo("no feedback of these predictions is stored")


@app.command()
def delete(
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of predictions; - reads ids from lines of the standard input."),
    ] = None,
    *,
    database: DatabaseOption = "",
    older_than_days: Annotated[
        float | None,
        typer.Option(min=0, help="Delete what was received so long ago.", show_default=False),
    ] = None,
    sample: _SampleOption = False,
) -> None:
    """Delete feedback by the ids of predictions, or by its age."""
    if bool(ids) is (older_than_days is not None):
        raise ConfigurationError("name ids of predictions or --older-than-days, one of both")
    wanted = [line.strip() for line in sys.stdin] if ids == ["-"] else list(ids or [])
    with open_sample(database) if sample else open_store(database) as store:
        if older_than_days is None:
            deleted = store.delete([name for name in wanted if name])
        else:
            limit = datetime.now(UTC) - timedelta(days=older_than_days)
            deleted = store.delete_before(limit.timestamp())
    typer.echo(f"deleted: {deleted}")


def _select(model: str, since: str) -> Selection:
    from valence.service.feedback.record import Selection

    name, _, version = model.partition(":")
    if not since:
        return Selection(name, version)
    try:
        day = datetime.fromisoformat(since)
    except ValueError:
        raise ConfigurationError(f"--since {since} is not a day such as 2026-01-31") from None
    moment = day if day.tzinfo else day.replace(tzinfo=UTC)
    return Selection(name, version, since=moment.timestamp())


def _make_lines(found: ServedReport) -> Iterator[str]:
    first = datetime.fromtimestamp(found.first, UTC).date()
    last = datetime.fromtimestamp(found.last, UTC).date()
    yield f"{found.model}:{found.version}: {found.texts} texts with feedback, {first} to {last}"
    if found.unknown:
        yield f"  {found.unknown} of them do not say what was predicted, and do not count"
    for name, interval in found.figures.items():
        yield f"  {name}: {_show(interval)}"
    for one in found.slices:
        figures = ", ".join(f"{name} {_show(interval)}" for name, interval in one.figures.items())
        yield f"  {one.kind} {one.name}, {one.texts} texts: {figures}"


def _show(interval: Interval) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*interval)
