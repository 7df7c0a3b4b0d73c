"""The store of feedback: records are written, read and deleted here, by :class:`Record` alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite
from valence.service.feedback import database
from valence.service.feedback.prediction_id import KEY_BYTES
from valence.service.feedback.record import Record, Selection
from valence.service.feedback.tables import FEEDBACK, KEY

_MICROSECONDS = 1_000_000
_READ_ROWS = 1_000


class Store(database.DatabaseStore):
    """The feedback in the database behind ``engine``; any thread may use it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        insert = (
            postgresql.insert(FEEDBACK)
            if engine.dialect.name == "postgresql"
            else sqlite.insert(FEEDBACK)
        )
        # feedback that comes again replaces the one before: a truth may be corrected
        self._upsert = insert.on_conflict_do_update(
            index_elements=[FEEDBACK.c.id],
            set_={
                column.name: insert.excluded[column.name]
                for column in FEEDBACK.c
                if not column.primary_key
            },
        )

    def key(self) -> bytes:
        """The key of the ids, made by the first service of this database."""
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        with self._engine.begin() as connection:
            connection.execute(
                insert(KEY).on_conflict_do_nothing(index_elements=[KEY.c.number]),
                {"number": 1, "key": secrets.token_bytes(KEY_BYTES)},
            )
            found: bytes = connection.execute(select(KEY.c.key)).scalar_one()
        return bytes(found)

    def write(self, records: Iterable[Record]) -> None:
        """Store ``records`` in one transaction; of one id the last record counts.

        When the call returns, they are on the disk of the database.
        """
        rows = {record.id: _to_row(record) for record in records}
        if not rows:
            return
        with self._engine.begin() as connection:
            # in one order, so that two services never wait for each other in a circle
            connection.execute(self._upsert, [rows[key] for key in sorted(rows)])

    def read(self, selection: Selection = Selection()) -> Iterator[Record]:  # noqa: B008 - frozen
        """The records of ``selection``, the oldest prediction first, a few at a time."""
        wanted = select(FEEDBACK)
        if selection.model:
            wanted = wanted.where(FEEDBACK.c.model == selection.model)
        if selection.version:
            wanted = wanted.where(FEEDBACK.c.version == selection.version)
        if selection.since is not None:
            wanted = wanted.where(FEEDBACK.c.time >= round(selection.since * _MICROSECONDS))
        if selection.until is not None:
            wanted = wanted.where(FEEDBACK.c.time < round(selection.until * _MICROSECONDS))
        wanted = wanted.order_by(FEEDBACK.c.time, FEEDBACK.c.id)
        with self._engine.connect() as connection:
            rows = connection.execution_options(yield_per=_READ_ROWS).execute(wanted)
            for row in rows.mappings():
                yield _from_row(row)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete the records of ``ids``; returns how many there were."""
        return database.delete_values(self._engine, FEEDBACK.c.id, ids)

    def delete_before(self, received: float) -> int:
        """Delete what was received before this time, in seconds since 1970; returns how many."""
        before = round(received * _MICROSECONDS)
        return database.delete_below(self._engine, FEEDBACK.c.received, before)


def _to_row(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "model": record.model,
        "version": record.version,
        "time": round(record.time * _MICROSECONDS),
        "predicted": None if record.predicted is None else list(record.predicted),
        "score": record.score,
        "truth": list(record.truth),
        "received": round(record.received * _MICROSECONDS),
        "source": record.source,
        "text": record.text,
    }


def _from_row(row: Mapping[Any, Any]) -> Record:
    return Record(
        id=row["id"],
        model=row["model"],
        version=row["version"],
        time=row["time"] / _MICROSECONDS,
        predicted=None if row["predicted"] is None else tuple(row["predicted"]),
        score=row["score"],
        truth=tuple(row["truth"]),
        received=row["received"] / _MICROSECONDS,
        source=row["source"],
        text=row["text"],
    )
