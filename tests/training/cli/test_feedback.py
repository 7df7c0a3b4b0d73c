"""``valence feedback``: export, report and delete."""

import json

import pytest
from typer.testing import CliRunner
from valence.service.errors import ConfigurationError
from valence.service.feedback.record import Record
from valence.service.feedback.store import Store
from valence.training.cli.feedback import app


@pytest.fixture
def path(tmp_path):
    store = Store.open(str(tmp_path / "feedback.db"))
    store.prepare()
    store.write(
        Record(
            id=f"id-{number}",
            model="topic",
            version=str(1 + number // 2),
            time=1_767_225_600.0 + 86_400 * number,
            predicted=("sport",),
            score=0.75,
            truth=("sport" if number else "business",),
            received=1_767_225_600.0 + 86_400 * number,
            text="It ended in a draw.",
        )
        for number in range(4)
    )
    store.close()
    return tmp_path / "feedback.db"


def run(*arguments, **more):
    return CliRunner().invoke(app, arguments, catch_exceptions=False, **more)


def test_feedback_is_exported_as_lines(path):
    lines = run("export", "--database", str(path)).stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"id-{number}" for number in range(4)]
    first = json.loads(lines[0])
    assert (first["label"], first["text"]) == ("business", "It ended in a draw.")
    assert (first["predicted"], first["time"]) == (["sport"], "2026-01-01T00:00:00.000+00:00")


def test_the_setting_of_the_service_names_the_database(path, monkeypatch):
    monkeypatch.setenv("VALENCE_FEEDBACK_DATABASE", str(path))
    done = run("export", "--model", "topic:2", "--since", "2026-01-04")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["id-3"]


def test_a_report_tells_each_version(path):
    text = run("report", "--database", str(path)).stdout
    assert "topic:1: 2 texts with feedback, 2026-01-01 to 2026-01-02" in text
    assert "accuracy: 0.500 (0.000 to 1.000)" in text
    found = json.loads(run("report", "--database", str(path), "--json").stdout)
    assert [one["figures"]["accuracy"][0] for one in found] == [0.5, 1.0]
    assert "no feedback" in run("report", "--database", str(path), "--model", "other").stdout


def test_feedback_is_deleted_by_ids_lines_and_age(path):
    assert run("delete", "--database", str(path), "id-0", "id-9").stdout == "deleted: 1\n"
    assert run("delete", "--database", str(path), "-", input="id-1\n\n").stdout == "deleted: 1\n"
    done = run("delete", "--database", str(path), "--older-than-days", "1e5")
    assert done.stdout == "deleted: 0\n"
    assert run("delete", "--database", str(path), "--older-than-days", "0").stdout == "deleted: 2\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export",), "no feedback database is named"),
        (("export", "--database", "x.db", "--since", "monday"), "monday is not a day"),
        (("delete", "--database", "x.db"), "one of both"),
        (("report", "--database", "mysql://u:secret@h/d"), "a file of SQLite or"),
        (("report", "--database", "/no/such/folder/x.db"), "cannot be used"),
    ],
)
def test_what_cannot_be_done_is_named(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VALENCE_FEEDBACK_DATABASE", raising=False)
    with pytest.raises(ConfigurationError, match=message) as refused:
        run(*arguments)
    assert "secret" not in str(refused.value)
