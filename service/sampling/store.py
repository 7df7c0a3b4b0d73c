"""The sample in the database of feedback: kept, read and deleted here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from valence.service.feedback import database
from valence.service.feedback.tables import SAMPLE
from valence.service.sampling.sample import SampledText, SampleReason

_MICROSECONDS = 1_000_000
_READ_ROWS = 1_000


class Reservoir(NamedTuple):
    """The texts of a model that are kept for one reason."""

    model: str
    reason: SampleReason


class SampleStore(database.DatabaseStore):
    """The sample in the database behind ``engine``; any thread may use it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        # a text that comes again is one text, with the chance of one
        self._insert = insert(SAMPLE).on_conflict_do_nothing(index_elements=[SAMPLE.c.id])

    def keep(self, samples: Iterable[SampledText], *, most: int) -> dict[Reservoir, float]:
        """Add ``samples``, and delete what is beyond ``most`` texts of a reservoir.

        The answer has the lowest priority in each of their reservoirs: no text below it can enter.
        It is minus infinity where there is room.
        """
        rows = {sample.id: _to_row(sample) for sample in samples}
        if not rows:
            return {}
        touched = {Reservoir(row["model"], row["reason"]) for row in rows.values()}
        lowest: dict[Reservoir, float] = {}
        with self._engine.begin() as connection:
            # in one order, so that two services never wait for each other in a circle
            connection.execute(self._insert, [rows[key] for key in sorted(rows)])
            for reservoir in sorted(touched):
                of_it = (SAMPLE.c.model == reservoir.model, SAMPLE.c.reason == reservoir.reason)
                kept = (
                    select(SAMPLE.c.id)
                    .where(*of_it)
                    .order_by(SAMPLE.c.priority.desc(), SAMPLE.c.id)
                    .limit(most)
                )
                connection.execute(delete(SAMPLE).where(*of_it, SAMPLE.c.id.not_in(kept)))
                count, least = connection.execute(
                    select(func.count(), func.min(SAMPLE.c.priority)).where(*of_it)
                ).one()
                lowest[reservoir] = float(least) if count >= most else -math.inf
        return lowest

    def read(self, model: str = "", *, limit: int | None = None) -> Iterator[SampledText]:
        """The texts of a ``model``, or of all, the newest first, a few at a time."""
        wanted = select(SAMPLE).order_by(SAMPLE.c.time.desc(), SAMPLE.c.id)
        name, _, version = model.partition(":")
        if name:
            wanted = wanted.where(SAMPLE.c.model == name)
        if version:
            wanted = wanted.where(SAMPLE.c.version == version)
        if limit is not None:
            wanted = wanted.limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execution_options(yield_per=_READ_ROWS).execute(wanted)
            for row in rows.mappings():
                yield _from_row(row)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete the texts of ``ids``; returns how many there were."""
        return database.delete_values(self._engine, SAMPLE.c.id, ids)

    def delete_before(self, time: float) -> int:
        """Delete what was answered before this time, in seconds since 1970; returns how many."""
        return database.delete_below(self._engine, SAMPLE.c.time, round(time * _MICROSECONDS))


def _to_row(sample: SampledText) -> dict[str, Any]:
    return {
        "id": sample.id,
        "model": sample.model,
        "version": sample.version,
        "time": round(sample.time * _MICROSECONDS),
        "reason": sample.reason,
        "priority": sample.priority,
        "predicted": list(sample.predicted),
        "score": sample.score,
        "text": sample.text,
    }


def _from_row(row: Mapping[Any, Any]) -> SampledText:
    return SampledText(
        id=row["id"],
        model=row["model"],
        version=row["version"],
        time=row["time"] / _MICROSECONDS,
        reason=row["reason"],
        priority=row["priority"],
        predicted=tuple(row["predicted"]),
        score=row["score"],
        text=row["text"],
    )
