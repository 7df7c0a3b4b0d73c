from __future__ import annotations

import csv
import gzip
import json
import os

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from valence.service.errors import ConfigurationError
from valence.service.files import lines
from valence.service.score import run

from tests.support.tables import read_rows, write_table

TEXTS = [f"good movie {number} bad " * (number % 7) for number in range(50)]
NAMES = ("in.csv", "in.tsv", "in.jsonl", "in.csv.gz", "in.jsonl.gz", "in.parquet")


@pytest.fixture
def rows() -> list[dict[str, object]]:
    return [{"number": str(place), "text": text} for place, text in enumerate(TEXTS)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("out", ["out.csv", "out.jsonl.gz", "out.parquet"])
def test_every_format_converts_to_every_other(score, rows, tmp_path, name, out):
    source = write_table(tmp_path / name, rows)
    assert score(source, tmp_path / out) == len(rows)
    scored = read_rows(tmp_path / out)
    assert [row["text"] for row in scored] == TEXTS
    for row in scored:
        probabilities = {k: float(v) for k, v in row.items() if k.startswith("probability_")}
        assert sum(probabilities.values()) == pytest.approx(1)
        assert row["error"] in (None, "")
        if row["text"]:
            assert probabilities[f"probability_{row['label']}"] == max(probabilities.values())
        else:
            assert (row["label"], row["reason"]) == ("uncertain", "empty")
    assert {path.name for path in tmp_path.iterdir()} == {name, out}


class Killed(BaseException):
    """Stands for a signal that ends the process inside the code under test."""


class KillingEngine:
    """Ends the process at a call."""

    def __init__(self, engine, calls):
        self.name = engine.name
        self._engine = engine
        self._left = calls

    def logits(self, documents):
        self._left -= 1
        if not self._left:
            raise Killed
        return self._engine.logits(documents)


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.jsonl.gz", "out.parquet"])
@pytest.mark.parametrize("calls", [1, 2, 4, 7])
def test_a_resumed_run_writes_the_bytes_of_an_uninterrupted_one(
    score, rows, tmp_path, counting_engine, name, calls
):
    source = write_table(tmp_path / "in.csv", rows)
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    score(source, tmp_path / "whole" / name)
    with pytest.raises(Killed):
        score(source, tmp_path / "cut" / name, engine=KillingEngine(counting_engine, calls))
    assert not (tmp_path / "cut" / name).exists()
    before = len(counting_engine.calls)
    score(source, tmp_path / "cut" / name)
    assert len(counting_engine.calls) - before == 7 - (calls - 1)
    whole = (tmp_path / "whole" / name).read_bytes()
    assert (tmp_path / "cut" / name).read_bytes() == whole


@pytest.mark.parametrize(("change", "named"), [("input", "input"), ("options", "top_k")])
def test_parts_of_another_run_are_not_resumed(
    score, rows, tmp_path, counting_engine, change, named
):
    source, out = write_table(tmp_path / "in.csv", rows), tmp_path / "out.csv"
    with pytest.raises(Killed):
        score(source, out, engine=KillingEngine(counting_engine, 2))
    if change == "input":
        write_table(source, rows[:-1])
    with pytest.raises(ConfigurationError, match=f"another {named}.*--fresh"):
        score(source, out, top_k=int(change == "options"))


def test_an_invalid_row_has_an_error_and_others_are_scored(score, tmp_path):
    source = tmp_path / "in.jsonl"
    lines = ['{"text": "good"}', "{", "3", '{"text": [1], "more": 1}', '{"text": "bad"}']
    source.write_text("\n".join(lines))
    score(source, tmp_path / "out.jsonl")
    scored = read_rows(tmp_path / "out.jsonl")
    assert [row["label"] is None for row in scored] == [False, True, True, True, False]
    one = "a line must be one object, or the file one array of objects"
    assert [row["error"] for row in scored[1:4]] == [
        "line 2: not JSON (Expecting property name enclosed in double quotes); " + one,
        f"line 3: a int, not an object; {one}",
        "line 4: column 'text' has a list, not a text",
    ]
    assert scored[3]["more"] == 1


# a row of Parquet has no lines
@pytest.mark.parametrize("name", [name for name in NAMES if name != "in.parquet"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_row_that_is_too_long_is_an_error(score, tmp_path, monkeypatch, name, encoding):
    monkeypatch.setattr(lines, "MAX_ROW", 60)
    texts = ["good", "x" * 70, "bad", "y" * 500, "good movie"]
    if "json" in name:
        content = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    else:
        content = "text\n" + "".join(f"{text}\n" for text in texts)
    data = content.encode(encoding)
    source = tmp_path / name
    source.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    score(source, tmp_path / "out.jsonl", encoding=encoding)
    scored = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in scored if not row["error"]][:2] == ["good", "bad"]
    assert scored[-1]["text"] == "good movie"
    first = 1 if "json" in name else 2
    assert scored[1]["error"].startswith(f"line {first + 1}: more than 4,000,000 characters")
    assert scored[3]["error"].startswith(f"line {first + 3}: more than 4,000,000 characters")


@pytest.mark.parametrize("name", NAMES)
def test_a_part_holds_few_characters(score, rows, tmp_path, name):
    """Rows of any size fit into memory, and the output is the same."""
    source = write_table(tmp_path / name, rows)
    score(source, tmp_path / "whole.jsonl")
    told = []
    score(
        source,
        tmp_path / "parts.jsonl",
        advance=lambda *given: told.append(given[0]),
        part_characters=150,
    )
    assert len(told) > 10
    assert told[-1] == len(rows)
    assert (tmp_path / "parts.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("truncation", ["head", "window"])
def test_a_row_that_is_not_finite_is_an_error(
    score, tmp_path, counting_engine, tiny_artifact, wrong, truncation
):
    bad_id = tiny_artifact.vocabulary.id("bad")

    class DamagedEngine:
        name = "damaged"

        def logits(self, documents):
            logits = counting_engine.logits(documents)
            logits[[bad_id in document for document in documents], 0] = wrong
            return logits

    texts = ["good", "good " * 100 + "bad", "movie", "bad", "good " * 100]
    source = write_table(tmp_path / "in.jsonl", [{"text": text} for text in texts])
    score(source, tmp_path / "out.jsonl", engine=DamagedEngine(), truncation=truncation)
    scored = read_rows(tmp_path / "out.jsonl")
    wanted = [False, truncation == "window", False, True, False]
    assert ["not finite" in (row["error"] or "") for row in scored] == wanted
    assert [row["label"] is None for row in scored] == wanted
    assert "NaN" not in (tmp_path / "out.jsonl").read_text()


def test_a_row_with_too_few_cells_is_an_error(score, tmp_path):
    (tmp_path / "in.csv").write_text('id,text\n1,"good,\nmovie"\n2\n3,bad,x\n4,bad\n')
    score(tmp_path / "in.csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        scored = list(csv.DictReader(file))
    assert [bool(row["error"]) for row in scored] == [False, True, True, False]
    assert scored[0]["text"] == "good,\nmovie"


def test_a_row_after_an_unclosed_quotation_mark_is_scored(score, tmp_path):
    rows = 'id,text\n0,"good, bad"\n1,"good" movie\n2,bad\n3,"good\n4,bad\n5,good\n'
    (tmp_path / "in.csv").write_text(rows)
    score(tmp_path / "in.csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        scored = list(csv.DictReader(file))
    assert [(row["text"], row["error"][:7]) for row in scored] == [
        ("good, bad", ""),
        ("", "line 3:"),
        ("bad", ""),
        ("", "line 5:"),
        ("bad", ""),
        ("good", ""),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_progress_is_reported_in_rows_and_as_a_share(score, rows, tmp_path, name):
    told = []
    source = write_table(tmp_path / name, rows)
    score(source, tmp_path / "out.csv", advance=lambda *given: told.append(given))
    assert [rows for rows, _ in told] == [8, 16, 24, 32, 40, 48, 50]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert shares[0] > 0
    if name == "in.parquet":
        assert shares[:2] == [8 / 50, 16 / 50]


def test_truncation_top_k_and_confidence_work_as_over_http(score, tmp_path):
    source = write_table(tmp_path / "in.jsonl", [{"text": "good " * 51}, {"text": "good"}])
    out = tmp_path / "out.jsonl"
    score(source, out, truncation="error", top_k=1, min_confidence=0.9)
    long, short = read_rows(out)
    assert "51 tokens" in long["error"]
    assert short["label"] == "uncertain"
    assert sum(short[name] is not None for name in short if name.startswith("prob")) == 1
    score(source, tmp_path / "windows.jsonl", truncation="window")
    assert read_rows(tmp_path / "windows.jsonl")[0]["windows"] == 2


@pytest.mark.parametrize(
    ("name", "content", "encoding", "told"),
    [
        ("a.csv", b"text\ngood\n", "utf-16", "BOM"),
        ("a.csv.gz", gzip.compress(b"text\n" + b"good\n" * 99, mtime=0)[:-9], "utf-8", "cut short"),
    ],
)
def test_undecodable_content_is_named_with_its_file(score, tmp_path, name, content, encoding, told):
    source = tmp_path / name
    source.write_bytes(content)
    with pytest.raises(ConfigurationError, match=told) as caught:
        score(source, tmp_path / "out.csv", encoding=encoding)
    assert str(source) in str(caught.value)


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_row_in_another_encoding_is_an_error_alone(score, tmp_path, name, encoding):
    content = b"text,id\ngood,1\nb\x81d,2\nbad,3\n"
    if name == "in.jsonl":
        content = b'{"text": "good", "id": 1}\n{"text": "b\x81d", "id": 2}\n{"text": "bad"}\n'
    (tmp_path / name).write_bytes(content)
    assert score(tmp_path / name, tmp_path / "out.jsonl", encoding=encoding) == 3
    scored = read_rows(tmp_path / "out.jsonl")
    assert [row.get("text") for row in scored] == ["good", None, "bad"]
    assert [bool(row["error"]) for row in scored] == [False, True, False]
    place = "line 2" if name == "in.jsonl" else "line 3"
    assert scored[1]["error"].startswith(f"{place}: the byte 0x81 is not {encoding.upper()}; set")
    assert str(scored[1]["id"]) == "2"


def test_a_file_is_read_in_the_encoding_that_is_given(score, tmp_path):
    source = tmp_path / "in.csv"
    source.write_bytes("text\ngood\ncafé\n".encode("cp1252"))
    score(source, tmp_path / "other.csv", encoding="cp1252")
    assert read_rows(tmp_path / "other.csv")[1]["text"] == "café"


def test_a_missing_or_already_existing_column_is_refused(score, tmp_path):
    source = write_table(tmp_path / "in.csv", [{"review": "good", "label": "x"}])
    with pytest.raises(ConfigurationError, match="--text-column"):
        score(source, tmp_path / "out.csv")
    with pytest.raises(ConfigurationError, match="--prefix"):
        score(source, tmp_path / "out2.csv", text_column="review")
    score(source, tmp_path / "out3.csv", text_column="review", prefix="predicted_")
    assert {"label", "predicted_label"} <= read_rows(tmp_path / "out3.csv")[0].keys()


def test_gzip_can_read_gzip_output(score, rows, tmp_path):
    score(write_table(tmp_path / "in.csv", rows), tmp_path / "out.jsonl.gz")
    text = gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()).decode()
    assert len([json.loads(line) for line in text.splitlines()]) == len(rows)


@pytest.mark.parametrize("out", ["out.csv", "out.jsonl", "out.parquet"])
def test_a_missing_text_is_an_empty_text_in_every_format(score, tmp_path, out):
    lines = ['{"text": null}', '{"other": 1}', '{"text": NaN}', '{"text": ""}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    (tmp_path / "in.csv").write_text('text,other\n"",\n,1\n  ,2\n"",3\n')
    table = pyarrow.table({"text": pyarrow.array([None, "", " ", "\n"], pyarrow.string())})
    parquet.write_table(table, tmp_path / "in.parquet")
    for name in ("in.jsonl", "in.csv", "in.parquet"):
        score(tmp_path / name, tmp_path / out)
        for row in read_rows(tmp_path / out):
            assert (row["label"], row["reason"]) == ("uncertain", "empty")
            assert not row["error"]
            assert float(row["probability_neutral"]) == pytest.approx(1 / 3)


def test_a_text_of_unknown_words_is_uncertain_unless_asked(score, tmp_path):
    source = write_table(tmp_path / "in.csv", [{"text": "zzz qqq"}, {"text": "zzz good"}])
    score(source, tmp_path / "out.csv")
    score(source, tmp_path / "all.csv", unreadable="label")
    judged = [(row["label"], row["reason"]) for row in read_rows(tmp_path / "out.csv")]
    assert judged[0] == ("uncertain", "unknown_words")
    assert judged[1][0] != "uncertain"
    labels = [row["label"] for row in read_rows(tmp_path / "all.csv")]
    assert "uncertain" not in labels
    assert labels[1] == judged[1][0]


def test_a_refused_command_leaves_no_run_behind(score, rows, tmp_path):
    source, out = write_table(tmp_path / "in.csv", rows), tmp_path / "out.csv"
    with pytest.raises(ConfigurationError, match="did you mean 'text'"):
        score(source, out, text_column="texts")
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv"}
    assert score(source, out) == len(rows)


def test_parts_without_a_journal_belong_to_no_run(score, rows, tmp_path):
    """A run that ended while it deleted its parts leaves some of them."""
    source, out = write_table(tmp_path / "in.csv", rows), tmp_path / "out.csv"
    (tmp_path / "out.csv.parts").mkdir()
    (tmp_path / "out.csv.parts" / "00000000").write_text("of another run\n")
    score(source, out)
    assert "of another run" not in out.read_text()


def test_a_damaged_journal_is_one_error(score, rows, tmp_path):
    source, out = write_table(tmp_path / "in.csv", rows), tmp_path / "out.csv"
    (tmp_path / "out.csv.parts").mkdir()
    (tmp_path / "out.csv.parts" / "journal.json").write_text("{")
    with pytest.raises(ConfigurationError, match="damaged; start over with --fresh"):
        score(source, out)


def test_two_runs_do_not_write_one_file(score, rows, tmp_path):
    source, out = write_table(tmp_path / "in.csv", rows), tmp_path / "out.csv"
    refusals = []

    def start_another(*_):
        with pytest.raises(ConfigurationError, match="another process is scoring into") as caught:
            score(source, out)
        refusals.append(caught)

    assert score(source, out, advance=start_another) == len(rows)
    assert len(refusals) == 7
    assert len(read_rows(out)) == len(rows)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("folder", "is a folder; give the path of a file"),
        ("missing/out.csv", "the folder .*missing does not exist; make it first"),
        ("in.csv", "is the input; write to another file"),
        ("link.csv", "is the input; write to another file"),
        ("pipe.csv", "is a device or a pipe"),
    ],
)
def test_an_impossible_output_is_refused_before_the_work(score, tmp_path, place, told):
    source = write_table(tmp_path / "in.csv", [{"text": "good"}])
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.csv").symlink_to(source)
    os.mkfifo(tmp_path / "pipe.csv")
    before = source.read_bytes()
    out = tmp_path / place
    with pytest.raises(ConfigurationError, match=told):
        run.require_paths(source, out)
    assert source.read_bytes() == before


def test_a_link_keeps_its_place_and_its_file_is_replaced(score, tmp_path):
    source = write_table(tmp_path / "in.csv", [{"text": "good"}])
    (tmp_path / "real").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "real" / "out.csv")
    score(source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").is_symlink()
    assert read_rows(tmp_path / "real" / "out.csv")[0]["text"] == "good"


@pytest.mark.parametrize("name", ["in.csv", "in.tsv", "in.parquet"])
@pytest.mark.parametrize("out", ["out.csv", "out.tsv", "out.parquet"])
def test_a_table_without_rows_keeps_its_columns(score, tmp_path, name, out):
    if name == "in.parquet":
        types = [("id", pyarrow.int16()), ("text", pyarrow.string())]
        parquet.write_table(pyarrow.schema(types).empty_table(), tmp_path / name)
    else:
        delimiter = "\t" if name == "in.tsv" else ","
        (tmp_path / name).write_text(f"id{delimiter}text\n")
    assert score(tmp_path / name, tmp_path / out) == 0
    if out == "out.parquet":
        columns = parquet.read_schema(tmp_path / out).names
    else:
        (line,) = (tmp_path / out).read_text().splitlines()
        columns = line.split("\t" if out == "out.tsv" else ",")
    assert columns[:3] == ["id", "text", "label"]
    assert columns[-1] == "error"
    with pytest.raises(ConfigurationError, match="did you mean 'text'"):
        score(tmp_path / name, tmp_path / out, text_column="texte")


def test_a_carriage_return_in_a_text_stays_in_its_row(score, tmp_path):
    texts = ["good\rbad", "\r", "bad\r\ngood", 'a "good" one\r']
    rows = [{"text": text, "id": str(number)} for number, text in enumerate(texts)]
    source = write_table(tmp_path / "in.jsonl", rows)
    for name in ("out.csv", "out.tsv"):
        score(source, tmp_path / name)
        assert [row["text"] for row in read_rows(tmp_path / name)] == texts


@pytest.mark.parametrize("change", ["grown", "replaced"])
def test_an_input_that_changes_meanwhile_is_refused(score, rows, tmp_path, change):
    source, out = write_table(tmp_path / "in.csv", rows), tmp_path / "out.csv"
    out.write_text("before")

    def change_input(done, _share):
        if done == 8 and change == "grown":
            with source.open("a") as file:
                file.write("51,good\n")
        elif done == 8:
            write_table(tmp_path / "other.csv", rows).replace(source)

    with pytest.raises(ConfigurationError, match="changed while it was scored"):
        score(source, out, advance=change_input)
    assert out.read_text() == "before"
