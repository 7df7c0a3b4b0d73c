"""``valence feedback``: read, count and delete the true labels that a service has stored."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from valence.service.errors import ConfigurationError

if TYPE_CHECKING:
    from valence.service.feedback.record import Selection
    from valence.service.feedback.store import Store
    from valence.training.evaluation.served import ServedReport

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

_SETTING = "VALENCE_FEEDBACK_DATABASE"
_DatabaseOption = Annotated[
    str,
    typer.Option(
        help=f"The database: a path of an SQLite file or a URL. Without it: {_SETTING}.",
        show_default=False,
    ),
]
_ModelOption = Annotated[
    str, typer.Option(help="A model, as name or name:version.", show_default=False)
]
_SinceOption = Annotated[
    str,
    typer.Option(
        help="Predictions of this day (UTC, such as 2026-01-31) or later.", show_default=False
    ),
]


@app.callback()
def feedback() -> None:
    """Read, count and delete true labels that POST /v1/feedback has stored."""


@app.command()
def export(
    *, database: _DatabaseOption = "", model: _ModelOption = "", since: _SinceOption = ""
) -> None:
    """Write feedback as JSON lines: what was predicted, the truth, and the text if it is kept."""
    selection = _select(model, since)
    with _opened(database) as store:
        for record in store.read(selection):
            fields = dataclasses.asdict(record)
            for name in ("time", "received"):
                moment = datetime.fromtimestamp(fields[name], UTC)
                fields[name] = moment.isoformat(timespec="milliseconds")
            # a column that training reads, as `valence train --label label`
            fields["label"] = record.truth[0] if len(record.truth) == 1 else list(record.truth)
            sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")


@app.command()
def report(
    *,
    database: _DatabaseOption = "",
    model: _ModelOption = "",
    since: _SinceOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="All figures as JSON.")] = False,
) -> None:
    """Tell accuracy, macro-F1 and calibration of what was served, with 95 % intervals."""
    from valence.training.evaluation.served import measure

    with _opened(database) as store:
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
    database: _DatabaseOption = "",
    older_than_days: Annotated[
        float | None,
        typer.Option(min=0, help="Delete what was received so long ago.", show_default=False),
    ] = None,
) -> None:
    """Delete feedback by the ids of predictions, or by its age."""
    if bool(ids) is (older_than_days is not None):
        raise ConfigurationError("name ids of predictions or --older-than-days, one of both")
    wanted = [line.strip() for line in sys.stdin] if ids == ["-"] else list(ids or [])
    with _opened(database) as store:
        if older_than_days is None:
            deleted = store.delete([name for name in wanted if name])
        else:
            limit = datetime.now(UTC) - timedelta(days=older_than_days)
            deleted = store.delete_before(limit.timestamp())
    typer.echo(f"deleted: {deleted}")


@contextmanager
def _opened(address: str) -> Iterator[Store]:
    """The store at ``address``, or at the setting of the service; raises on purpose only."""
    address = address or os.environ.get(_SETTING, "")
    if not address:
        raise ConfigurationError(
            f"no feedback database is named: give --database, or set {_SETTING}"
        )
    from sqlalchemy.exc import SQLAlchemyError
    from valence.service.feedback import database
    from valence.service.feedback.store import Store

    store = Store.open(address)
    try:
        store.prepare()
        yield store
    except SQLAlchemyError as error:
        raise ConfigurationError(
            f"the feedback database cannot be used: {database.explain(error)}"
        ) from None
    finally:
        store.close()


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
    for name, (value, low, high) in found.figures.items():
        yield f"  {name}: {value:.3f} ({low:.3f} to {high:.3f})"
