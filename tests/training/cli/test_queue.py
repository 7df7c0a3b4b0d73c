"""``valence queue``, and its way back into a training."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from valence.service.annotation.choices import read_control
from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.service.feedback.record import Record
from valence.service.feedback.store import Store
from valence.training.cli import queue as command
from valence.training.cli.options import DataOptions
from valence.training.cli.queue import QueueOptions, queue
from valence.training.config.loader import load_configuration
from valence.training.registry import store
from valence.training.runtime.progress import Reporter

from tests.support.model_stores import models_in, put_model

TEXTS = "text\ngood movie\nbad movie\nthe movie was not good\ngood movie\n"
MORE = "".join(f"{mood} movie {number}\n" for number in range(6) for mood in ("good", "bad"))


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.csv").write_text(TEXTS)
    with models_in(tmp_path / "models"):
        put_model("sentiment", "1")
        yield tmp_path / "texts.csv"


def run(files: list[str], **options) -> None:
    queue(model="sentiment", files=files, **{**vars_of(QueueOptions()), **options})


def vars_of(options: QueueOptions) -> dict:
    values = {name: getattr(options, name) for name in options.__dataclass_fields__}
    return values | {"engine": "reference"}


def test_a_queue_is_written_as_csv_and_as_tasks(texts: Path, capsys) -> None:
    run([str(texts)], out=[Path("q.csv"), Path("q.json")])
    rows = list(csv.DictReader(Path("q.csv").read_text().splitlines()))
    assert sorted(row["text"] for row in rows) == [
        "bad movie",
        "good movie",
        "the movie was not good",
    ]
    assert [one["data"]["text"] for one in json.loads(Path("q.json").read_text())] == [
        row["text"] for row in rows
    ]
    read_control(Path("q.xml").read_text(), artifact.load(store.find_model("sentiment")).manifest)
    assert "3 of 4 texts to label" in capsys.readouterr().err


def test_labelled_texts_leave_the_queue(texts: Path) -> None:
    Path("done.csv").write_text("text,label\nGood movie,positive\n")
    run([str(texts)], labelled=["done.csv"], count=1)
    assert "good movie" not in Path("queue.csv").read_text().replace("not good", "")
    Path("all.csv").write_text(TEXTS)
    with pytest.raises(ConfigurationError, match=r"texts\.csv: no text without a label is left"):
        run([str(texts)], labelled=["all.csv"])


def test_what_cannot_be_done_is_named(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"q\.txt: name it NAME\.csv"):
        run([str(texts)], out=[Path("q.txt")])
    monkeypatch.setattr(command, "MAX_TEXTS", 3)
    with pytest.raises(ConfigurationError, match="more than 3 texts"):
        run([str(texts)])
    with pytest.raises(ConfigurationError, match="no file of that name"):
        run(["nothing.csv"])


def test_a_filled_queue_is_data_to_train_on(texts: Path, silent: type[Reporter]) -> None:
    """The columns have the names that training reads without options."""
    Path("more.csv").write_text(TEXTS + MORE)
    run(["more.csv"])
    rows = list(csv.DictReader(Path("queue.csv").read_text().splitlines()))
    with Path("queue.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(
            {**row, "label": "bad" if "bad" in row["text"] else "good"} for row in rows
        )
    file = DataOptions(data=["queue.csv"]).find_configuration(
        None, workspace=Path("space"), reporter=silent()
    )
    assert load_configuration(file).labels == ("bad", "good")


def test_feedback_is_data_to_train_on(
    texts: Path, silent: type[Reporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Store.open("feedback.db")
    kept.prepare()
    kept.write(
        Record(f"i{n}", "sentiment", "1", 1.0, None, None, (label,), 1.0, text=f"{text} {n}")
        for n, (text, label) in enumerate([("good", "positive"), ("bad", "negative")] * 6)
    )
    kept.close()
    monkeypatch.setenv("VALENCE_FEEDBACK_DATABASE", "feedback.db")
    Path("more.csv").write_text("text,label\nthe movie,neutral\n")
    file = DataOptions(data=["more.csv", "feedback"]).find_configuration(
        None, workspace=Path("space"), reporter=silent()
    )
    configuration = load_configuration(file)
    assert configuration.name == "sentiment"
    assert configuration.labels == ("negative", "neutral", "positive")
    assert configuration.data.files == ("more.csv", "space/feedback/sentiment.jsonl")
