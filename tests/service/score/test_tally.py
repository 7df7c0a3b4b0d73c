"""A run says at its end how many rows have no score or no text, by kind, and where."""

from __future__ import annotations

import pickle

import pyarrow
import pytest
from valence.service.classifier.classifier import Classifier
from valence.service.files import formats
from valence.service.files.fault import FORM, Fault
from valence.service.files.table import Row
from valence.service.score import run
from valence.service.score.options import Options, ScoreOptions
from valence.service.score.sources import RowPart, TablePart
from valence.service.score.tally import Tally, read_tally, write_tally
from valence.service.score.texts import TextScorer

from tests.support.tables import write_table

CANARY = "secret words"


@pytest.fixture
def tally(tiny_artifact, counting_engine, tmp_path):
    """Return a function that scores a file, two rows a part; it returns the lines of the end."""

    def tally(source, **given) -> list[str]:
        options = Options("text", formats.require_format(source), "jsonl", "utf-8", part_rows=2)
        scorer = TextScorer(Classifier(tiny_artifact), counting_engine, ScoreOptions(**given))
        out = tmp_path / "out.jsonl"
        found = run.score_file(source, out, scorer=scorer, options=options)
        return list(found.describe("text", "error"))

    return tally


def test_rows_of_csv_are_counted_by_kind_and_place(tally, tmp_path):
    source = tmp_path / "in.csv"
    rows = ["good,1", ",2", f"{CANARY},3,4", "caf\udce9,4", " ,5", "bad,6"]
    source.write_text("\n".join(["text,id", *rows, ""]), errors="surrogateescape")
    assert tally(source) == [
        "without a text in the column 'text': 2 (line 3, line 6)",
        "with an error in the column 'error', another number of fields than the header: 1 (line 4)",
        "with an error in the column 'error', damaged bytes: 1 (line 5)",
    ]


def test_rows_of_json_are_counted_by_kind_and_place(tally, tmp_path):
    source = tmp_path / "in.jsonl"
    rows = ['{"text": "good"}', '{"text": 5}', '["text"]', f'{{"text": "{CANARY}"', '{"id": 1}']
    source.write_text("\n".join(rows))
    assert tally(source) == [
        "without a text in the column 'text': 1 (line 5)",
        "with an error in the column 'error', a value that is not a text: 1 (line 2)",
        "with an error in the column 'error', not an object of JSON: 2 (line 3, line 4)",
    ]


@pytest.mark.parametrize("name", ["in.csv", "in.parquet"])
def test_only_the_first_places_are_told(tally, tmp_path, name):
    texts = ["good", *[""] * 8]
    source = write_table(tmp_path / name, [{"id": str(n), "text": t} for n, t in enumerate(texts)])
    what, first = ("row", 2) if name.endswith("parquet") else ("line", 3)
    shown = ", ".join(f"{what} {number}" for number in range(first, first + 5))
    assert tally(source) == [f"without a text in the column 'text': 8 ({shown}, …)"]


def test_a_long_text_is_counted_where_it_is_an_error(tally, tmp_path):
    source = write_table(tmp_path / "in.csv", [{"text": "good"}, {"text": "good " * 100}])
    assert tally(source) == []
    assert tally(source, truncation="error") == [
        "with an error in the column 'error', a length over the limit: 1 (line 3)"
    ]


def test_a_run_that_goes_on_counts_the_parts_before(tally, tmp_path, counting_engine, monkeypatch):
    source = write_table(tmp_path / "in.csv", [{"id": "1", "text": ""} for _ in range(6)])
    whole = tally(source)
    logits, calls = TextScorer.score, []

    def interrupt(scorer, texts):
        calls.append(texts)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return logits(scorer, texts)

    monkeypatch.setattr(TextScorer, "score", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tally(source)
    assert tally(source) == whole
    assert len(calls) == 4


def test_a_tally_is_read_as_it_was_written(tmp_path):
    tally = Tally()
    for number in range(9):
        tally.count(f"kind {number % 2}", f"line {number}")
    write_tally(tmp_path / "1", tally)
    assert read_tally(tmp_path / "1") == tally
    assert read_tally(tmp_path / "2") == Tally()


def test_parts_have_their_places_in_another_process(tmp_path):
    table = pyarrow.table({"text": ["good", ""]})
    for part, place in (
        (RowPart([Row({}, "line 7", Fault("told", FORM))]), "line 7"),
        (TablePart(table, 6), "row 7"),
    ):
        copy = pickle.loads(pickle.dumps(part))
        assert copy.find_place(0) == place
        assert copy.read_texts("text") == part.read_texts("text")
        assert [getattr(text, "kind", "") for text in copy.read_texts("text")] == [
            getattr(text, "kind", "") for text in part.read_texts("text")
        ]
