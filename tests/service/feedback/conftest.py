"""Stores of feedback: each test of a store runs on SQLite, and with `-m slow` on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from valence.service.feedback import database
from valence.service.feedback.record import Record
from valence.service.feedback.store import Store

from tests.support.feedback_databases import serving_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server."""
    with serving_postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database is."""
    if request.param == "sqlite":
        return str(tmp_path / "feedback.db")
    server = request.getfixturevalue("postgresql")
    name = f"valence_{uuid.uuid4().hex}"
    engine = create_engine(database.parse_address(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    """A store with tables and without feedback."""
    opened = Store.open(address)
    opened.prepare()
    yield opened
    opened.close()


def make_record(number: int = 0, **fields: object) -> Record:
    """A record with whole microseconds, as a store keeps them."""
    given: dict[str, object] = {
        "id": f"id-{number}",
        "model": "sentiment",
        "version": "1",
        "time": 1_745_383_213.25 + number,
        "predicted": ("positive",),
        "score": 0.75,
        "truth": ("negative",),
        "received": 1_745_383_300.5 + number,
        **fields,
    }
    return Record(**given)  # type: ignore[arg-type]
