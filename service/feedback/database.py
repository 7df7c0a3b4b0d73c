"""The database of feedback: its address, its connections and its migrations.

SQLite by a path, PostgreSQL by a URL. No error names a password.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Column, Connection, Engine, create_engine, delete, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from valence.service.errors import ConfigurationError

SETTING = "VALENCE_FEEDBACK_DATABASE"
_MIGRATIONS = Path(__file__).parent / "migrations"
# how long a transaction of SQLite waits for those of other processes
_BUSY_SECONDS = 10.0
# how long a connection to PostgreSQL may take
_CONNECT_SECONDS = 5
# values of one statement: SQLite binds 32,766 at most
_DELETE_VALUES = 1_000
# any number that no other program locks: one service at a time migrates
_LOCK = 0x76616C656E6365


class DatabaseStore:
    """The tables of the database behind ``engine``; any thread may use it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, address: str) -> Self:
        """The store at ``address``, a path or a URL, without a look at the database."""
        return cls(open_engine(parse_address(address)))

    def prepare(self) -> None:
        """Bring the tables to the newest version; raises :class:`ConfigurationError`."""
        migrate(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def parse_address(address: str) -> URL:
    """The URL of a database: ``address`` is a URL, or the path of an SQLite file.

    Raises :class:`ConfigurationError`.
    """
    if "://" not in address:
        return URL.create("sqlite", database=str(Path(address).expanduser().absolute()))
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            f"{SETTING} is not a URL of a database; give the path of a file, or "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from None
    name = url.get_backend_name()
    if name == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if name == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise ConfigurationError(
        f"{SETTING} names {describe(url)}; feedback is kept in a file of SQLite or in PostgreSQL: "
        "give the path of a file, or postgresql://USER:PASSWORD@HOST/DATABASE"
    )


def describe(url: URL) -> str:
    """``url`` for a person, without its password and its options."""
    return url.set(query={}).render_as_string(hide_password=True)


def open_engine(url: URL) -> Engine:
    """Connections to the database at ``url``, made when they are needed."""
    sqlite = url.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = (
        {"timeout": _BUSY_SECONDS, "check_same_thread": False}
        if sqlite
        else {"connect_timeout": _CONNECT_SECONDS}
    )
    try:
        # parameters would put texts into the messages of errors
        engine = create_engine(
            url, connect_args=arguments, hide_parameters=True, pool_pre_ping=not sqlite
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            f"{SETTING} names {describe(url)}, whose driver is not installed: {explain(error)}; "
            "pip install 'valence[feedback]'"
        ) from None
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest version; one process at a time does so.

    Raises :class:`ConfigurationError` for a database that cannot be used.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            _lock(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (SQLAlchemyError, OSError) as error:
        raise ConfigurationError(
            f"the feedback database {describe(engine.url)} cannot be used: {explain(error)}; start "
            f"it, or name another in {SETTING}"
        ) from None


def delete_values(engine: Engine, column: Column[str], values: Sequence[str]) -> int:
    """Delete the rows that have one of ``values`` in ``column``; returns how many there were."""
    deleted = 0
    with engine.begin() as connection:
        for start in range(0, len(values), _DELETE_VALUES):
            part = values[start : start + _DELETE_VALUES]
            deleted += connection.execute(delete(column.table).where(column.in_(part))).rowcount
    _forget(engine)
    return deleted


def delete_below(engine: Engine, column: Column[int], value: int) -> int:
    """Delete the rows with less than ``value`` in ``column``; returns how many there were."""
    with engine.begin() as connection:
        deleted = connection.execute(delete(column.table).where(column < value)).rowcount
    if deleted:
        _forget(engine)
    return deleted


def _forget(engine: Engine) -> None:
    """Empty the write-ahead log of SQLite, which still has what was deleted."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def explain(error: Exception) -> str:
    """The first line of what a database said, which has no parameters."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def _lock(connection: Connection) -> None:
    """Let other processes wait until the transaction of ``connection`` ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Settings of each connection: what is committed is on the disk, what is deleted is gone."""
    cursor = connection.cursor()
    for setting in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()
