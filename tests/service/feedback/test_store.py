"""The store of feedback, on every database that it may be in."""

import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import inspect, text
from valence.service.errors import ConfigurationError
from valence.service.feedback import database
from valence.service.feedback.record import Selection
from valence.service.feedback.store import Store
from valence.service.feedback.tables import METADATA

from tests.service.feedback.conftest import make_record


def test_what_was_written_is_read(store):
    records = [
        make_record(0),
        make_record(1, predicted=None, score=None),
        make_record(2, predicted=(), truth=("late", "cold")),
        make_record(3, text="Très bien 🙂", source="annotator"),
    ]
    store.write(records)
    assert list(store.read()) == records


def test_the_last_feedback_about_a_prediction_counts(store):
    store.write([make_record(truth=("neutral",)), make_record(truth=("positive",))])
    assert [record.truth for record in store.read()] == [("positive",)]
    store.write([make_record(truth=("negative",), received=1_745_400_000.0)])
    assert list(store.read()) == [make_record(received=1_745_400_000.0)]


def test_a_selection_is_read_in_the_order_of_the_predictions(store):
    store.write(
        [make_record(n, model="topic" if n % 2 else "sentiment", version=str(n)) for n in range(9)]
    )
    first = make_record().time

    def numbers(**fields):
        return [int(record.version) for record in store.read(Selection(**fields))]

    assert numbers() == list(range(9))
    assert numbers(model="topic") == [1, 3, 5, 7]
    assert numbers(model="topic", version="3") == [3]
    assert numbers(since=first + 3, until=first + 6) == [3, 4, 5]


def test_many_records_are_read_a_few_at_a_time(store):
    store.write([make_record(n) for n in range(2_500)])
    assert sum(1 for _ in store.read()) == 2_500


def test_feedback_is_deleted_by_id_and_by_age(store):
    store.write([make_record(n) for n in range(6)])
    assert store.delete(["id-1", "id-4", "id-77"]) == 2
    assert store.delete_before(make_record(3).received) == 2
    assert [record.id for record in store.read()] == ["id-3", "id-5"]


def test_thousands_of_ids_are_deleted(store):
    store.write([make_record(n) for n in range(2_100)])
    assert store.delete([f"id-{n}" for n in range(2_100)]) == 2_100


def test_all_services_of_a_database_have_one_key(store, address):
    other = Store.open(address)
    assert len(store.key()) == 32
    assert other.key() == store.key()
    other.close()


def test_the_tables_are_made_once_and_are_those_of_the_code(store, address):
    store.write([make_record()])
    store.prepare()
    assert list(store.read()) == [make_record()]
    engine = database.open_engine(database.parse_address(address))
    found = inspect(engine)
    for table in METADATA.tables.values():
        columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}
        assert {index["name"] for index in found.get_indexes(table.name)} == {
            index.name for index in table.indexes
        }
    with engine.connect() as connection:
        newest = connection.execute(text("SELECT version_num FROM valence_feedback_version"))
        assert newest.scalar_one() == "0002"
    engine.dispose()


def test_a_deleted_text_is_in_no_file_of_sqlite(tmp_path):
    store = Store.open(str(tmp_path / "feedback.db"))
    store.prepare()
    store.write([make_record(text="xyzzy-canary-1f3a")])
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"xyzzy-canary-1f3a" in kept
    store.delete(["id-0"])
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"xyzzy-canary-1f3a" not in kept
    store.close()


def test_what_is_written_survives_a_kill(tmp_path):
    """A process writes records, says so after each commit, and is killed while it writes on."""
    path = tmp_path / "feedback.db"
    code = (
        "import os, sys\n"
        "from tests.service.feedback.conftest import make_record\n"
        "from valence.service.feedback.store import Store, _to_row\n"
        f"store = Store.open({str(path)!r}); store.prepare()\n"
        "for number in range(20):\n"
        "    store.write([make_record(number)])\n"
        "    os.write(1, b'%d\\n' % number)\n"
        "connection = store._engine.connect()\n"
        "connection.execute(store._upsert, [_to_row(make_record(99))])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    said = done.stdout.split()
    assert done.returncode == -9, done.stderr
    store = Store.open(str(path))
    assert [record.id for record in store.read()] == [f"id-{int(number)}" for number in said]
    assert len(said) == 20
    store.close()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mysql://root:secret@db/valence", r"names mysql://root:\*\*\*@db/valence"),
        ("sqlite://", "a file of SQLite or"),
        ("sqlite:///:memory:", "a file of SQLite or"),
        ("nonsense://x:secret@y:port/z", "not a URL of a database"),
    ],
)
def test_another_database_is_refused_without_its_password(address, message):
    with pytest.raises(ConfigurationError, match=message) as refused:
        Store.open(address)
    assert "secret" not in str(refused.value)


def test_a_database_that_cannot_be_used_is_named(tmp_path):
    path = tmp_path / "no such folder" / "feedback.db"
    with pytest.raises(ConfigurationError, match=r"feedback\.db cannot be used: unable to open"):
        Store.open(str(path)).prepare()
    (tmp_path / "page.html").write_text("<html>" * 1_000)
    with pytest.raises(ConfigurationError, match="cannot be used: file is not a database"):
        Store.open(str(tmp_path / "page.html")).prepare()


def test_an_address_is_a_path_or_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert database.parse_address("a b.db").database == str(tmp_path / "a b.db")
    assert database.parse_address("sqlite:////x/y.db").database == "/x/y.db"
    url = database.parse_address("postgresql://u:p@h/d?sslmode=require")
    assert (url.drivername, url.query["sslmode"]) == ("postgresql+psycopg", "require")
    assert database.describe(url) == "postgresql+psycopg://u:***@h/d"


def test_a_file_of_sqlite_keeps_a_log_ahead_of_writes(tmp_path):
    store = Store.open(str(tmp_path / "feedback.db"))
    store.prepare()
    with sqlite3.connect(tmp_path / "feedback.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    store.close()
