from __future__ import annotations

import csv
import gzip
import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from valence.service.classifier.classifier import Classifier
from valence.service.errors import ConfigurationError
from valence.service.files import compression, formats, lines
from valence.service.files.rows import Rows
from valence.service.score import parts, run

TEXTS = [f"good movie {number} bad " * (number % 7) for number in range(50)]
NAMES = ("in.csv", "in.tsv", "in.jsonl", "in.csv.gz", "in.jsonl.gz", "in.parquet")


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    form = formats.require_format(path)
    columns = list(rows[0])
    piece = path.with_name("piece")
    piece.write_bytes(parts.encode_part(rows, columns, form))
    parts.join_parts([piece], path, columns, form, gz=compression.is_gzipped(path))
    return path


def rows_of(path: Path) -> list[dict[str, object]]:
    with closing(Rows(path, formats.require_format(path))) as rows:
        return [row.values for row in rows]


@pytest.fixture
def score(tiny_artifact, counting_engine):
    def score(
        source: Path, out: Path, *, engine=counting_engine, advance=lambda *_: None, **given
    ) -> int:
        encoding = given.pop("encoding", "utf-8")
        options = run.Options(
            text_column=given.pop("text_column", "text"),
            in_format=formats.require_format(source),
            out_format=formats.require_format(out),
            encoding=encoding,
            part_rows=8,
            **given,
        )
        classifier = Classifier(tiny_artifact)
        return run.score_file(
            source, out, classifier=classifier, engine=engine, options=options, advance=advance
        )

    return score


@pytest.fixture
def rows() -> list[dict[str, object]]:
    return [{"number": str(place), "text": text} for place, text in enumerate(TEXTS)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("out", ["out.csv", "out.jsonl.gz", "out.parquet"])
def test_every_format_converts_to_every_other(score, rows, tmp_path, name, out):
    source = write(tmp_path / name, rows)
    assert score(source, tmp_path / out) == len(rows)
    scored = rows_of(tmp_path / out)
    assert [row["text"] for row in scored] == TEXTS
    for row in scored:
        probabilities = {k: float(v) for k, v in row.items() if k.startswith("probability_")}
        assert sum(probabilities.values()) == pytest.approx(1)
        assert probabilities[f"probability_{row['label']}"] == max(probabilities.values())
        assert row["error"] in (None, "")
    assert {path.name for path in tmp_path.iterdir()} == {name, "piece", out}


class Killed(BaseException):
    """Stands for a signal that ends the process inside the code under test."""


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.jsonl.gz", "out.parquet"])
@pytest.mark.parametrize("calls", [1, 2, 4, 7])
def test_a_resumed_run_writes_the_bytes_of_an_uninterrupted_one(
    score, rows, tmp_path, counting_engine, name, calls
):
    class KillingEngine:
        name = counting_engine.name

        def __init__(self):
            self.left = calls

        def logits(self, documents):
            self.left -= 1
            if not self.left:
                raise Killed
            return counting_engine.logits(documents)

    source = write(tmp_path / "in.csv", rows)
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    score(source, tmp_path / "whole" / name)
    with pytest.raises(Killed):
        score(source, tmp_path / "cut" / name, engine=KillingEngine())
    assert not (tmp_path / "cut" / name).exists()
    before = len(counting_engine.calls)
    score(source, tmp_path / "cut" / name)
    assert len(counting_engine.calls) - before == 7 - (calls - 1)
    whole = (tmp_path / "whole" / name).read_bytes()
    assert (tmp_path / "cut" / name).read_bytes() == whole


class FailingEngine:
    name = "counting"

    def logits(self, documents):
        raise Killed


@pytest.mark.parametrize(("change", "named"), [("input", "input"), ("options", "top_k")])
def test_parts_of_another_run_are_not_resumed(score, rows, tmp_path, change, named):
    source, out = write(tmp_path / "in.csv", rows), tmp_path / "out.csv"
    with pytest.raises(Killed):
        score(source, out, engine=FailingEngine())
    if change == "input":
        write(source, rows[:-1])
    with pytest.raises(ConfigurationError, match=f"another {named}.*--fresh"):
        score(source, out, top_k=int(change == "options"))


def test_an_invalid_row_has_an_error_and_others_are_scored(score, tmp_path):
    source = tmp_path / "in.jsonl"
    lines = ['{"text": "good"}', "{", "3", '{"text": null, "more": 1}', '{"text": "bad"}']
    source.write_text("\n".join(lines))
    score(source, tmp_path / "out.jsonl")
    scored = rows_of(tmp_path / "out.jsonl")
    assert [row["label"] is None for row in scored] == [False, True, True, True, False]
    one = "a line must be one object"
    assert [row["error"] for row in scored[1:4]] == [
        "line 2: not JSON (Expecting property name enclosed in double quotes); " + one,
        "line 3: a int, not an object",
        "line 4: column 'text' does not have a text",
    ]
    assert scored[3]["more"] == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_row_that_is_too_long_is_an_error(score, tmp_path, monkeypatch, name, encoding):
    if name == "in.parquet":
        pytest.skip("a row of Parquet has no lines")
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
    source = write(tmp_path / name, rows)
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
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in texts])
    score(source, tmp_path / "out.jsonl", engine=DamagedEngine(), truncation=truncation)
    scored = rows_of(tmp_path / "out.jsonl")
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
    (tmp_path / "in.csv").write_text('id,text\n1,"good" movie\n2,bad\n3,"good\n4,"bad"\n5,good\n')
    score(tmp_path / "in.csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        scored = list(csv.DictReader(file))
    assert [(row["text"], row["error"][:7]) for row in scored] == [
        ("", "line 2:"),
        ("bad", ""),
        ("", "line 4:"),
        ("good", ""),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_progress_is_reported_in_rows_and_as_a_share(score, rows, tmp_path, name):
    told = []
    source = write(tmp_path / name, rows)
    score(source, tmp_path / "out.csv", advance=lambda *given: told.append(given))
    assert [rows for rows, _ in told] == [8, 16, 24, 32, 40, 48, 50]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert shares[0] > 0
    if name == "in.parquet":
        assert shares[:2] == [8 / 50, 16 / 50]


def test_truncation_top_k_and_confidence_work_as_over_http(score, tmp_path):
    source = write(tmp_path / "in.jsonl", [{"text": "good " * 51}, {"text": "good"}])
    out = tmp_path / "out.jsonl"
    score(source, out, truncation="error", top_k=1, min_confidence=0.9)
    long, short = rows_of(out)
    assert "51 tokens" in long["error"]
    assert short["label"] == "uncertain"
    assert sum(short[name] is not None for name in short if name.startswith("prob")) == 1
    score(source, tmp_path / "windows.jsonl", truncation="window")
    assert rows_of(tmp_path / "windows.jsonl")[0]["windows"] == 2


@pytest.mark.parametrize(
    ("name", "content", "encoding", "told"),
    [
        ("a.csv", b"text\ngood\nb\x81d\n", "cp1252", "0x81"),
        ("a.jsonl", b'{"text": "good"}\n{"text": "\x81"}\n', "cp1252", "0x81"),
        ("a.csv", b"text\ngood\n", "utf-16", "BOM"),
        ("a.csv.gz", b"text\ngood\n", "utf-8", "not gzip"),
        ("a.csv.gz", gzip.compress(b"text\n" + b"good\n" * 99, mtime=0)[:-9], "utf-8", "cut short"),
    ],
)
def test_undecodable_content_is_named_with_its_file(score, tmp_path, name, content, encoding, told):
    source = tmp_path / name
    source.write_bytes(content)
    with pytest.raises(ConfigurationError, match=told) as caught:
        score(source, tmp_path / "out.csv", encoding=encoding)
    assert str(source) in str(caught.value)


def test_an_invalid_byte_of_an_encoding_is_named_with_its_line(score, tmp_path):
    source = tmp_path / "in.csv"
    source.write_bytes("text\ngood\ncafé\n".encode("cp1252"))
    with pytest.raises(ConfigurationError, match="line 3: the byte 0xe9 is not UTF-8"):
        score(source, tmp_path / "out.csv")
    score(source, tmp_path / "other.csv", encoding="cp1252")
    assert rows_of(tmp_path / "other.csv")[1]["text"] == "café"


def test_a_missing_or_already_existing_column_is_refused(score, tmp_path):
    source = write(tmp_path / "in.csv", [{"review": "good", "label": "x"}])
    with pytest.raises(ConfigurationError, match="--text-column"):
        score(source, tmp_path / "out.csv")
    with pytest.raises(ConfigurationError, match="--prefix"):
        score(source, tmp_path / "out2.csv", text_column="review")
    score(source, tmp_path / "out3.csv", text_column="review", prefix="predicted_")
    assert {"label", "predicted_label"} <= rows_of(tmp_path / "out3.csv")[0].keys()


def test_gzip_can_read_gzip_output(score, rows, tmp_path):
    score(write(tmp_path / "in.csv", rows), tmp_path / "out.jsonl.gz")
    text = gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()).decode()
    assert len([json.loads(line) for line in text.splitlines()]) == len(rows)
