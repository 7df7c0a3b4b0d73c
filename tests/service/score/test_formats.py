"""Every readable file is scored, and what is written is read back."""

from __future__ import annotations

import csv
import json

import pytest
from valence.service.errors import ConfigurationError
from valence.service.files.formats import require_output_format
from valence.service.score import __main__ as command

from tests.support.table_files import PACKERS, write_csv, write_workbook
from tests.support.tables import read_rows

ROWS = [("good", "1"), ("", "2"), ("bad\rmovie", "3"), ("good\r\n\r", "4"), ('"bad"', "5")]
RECORDS = [{"text": text, "id": number} for text, number in ROWS]
TABLE = write_csv(("text", "id"), RECORDS)


@pytest.mark.parametrize("out", ["out.csv", "out.tsv", "out.csv.gz", "out.jsonl", "out.parquet"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", b"sep=,\r\n" + TABLE.encode("utf-8")),
        ("in.csv", TABLE.encode("utf-16")),
        ("in.csv.xz", PACKERS[".xz"](TABLE.encode())),
        ("in.csv", PACKERS[".zst"](TABLE.encode())),
        ("in.json", json.dumps(RECORDS, indent=1).encode()),
        ("in.xlsx", write_workbook([("text", "id"), *ROWS])),
    ],
    ids=["sep", "utf-16", "xz", "zst", "json", "xlsx"],
)
def test_every_file_is_scored_and_read_back(score, tmp_path, name, content, out):
    (tmp_path / name).write_bytes(content)
    assert score(tmp_path / name, tmp_path / out, encoding="auto") == len(ROWS)
    scored = read_rows(tmp_path / out)
    assert [(row["text"], row["id"]) for row in scored] == ROWS
    assert [row["label"] == "uncertain" for row in scored] == [False, True, False, False, False]
    assert not any(row["error"] for row in scored)


def test_a_carriage_return_is_in_quotes_for_every_reader(score, tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(RECORDS))
    score(tmp_path / "in.json", tmp_path / "out.csv")
    assert '"bad\rmovie"' in (tmp_path / "out.csv").read_bytes().decode()
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == [text for text, _ in ROWS]


@pytest.mark.parametrize(
    "content", [b"text,id\n", b"\xef\xbb\xbftext,id\r\n\r\n", PACKERS[".xz"](b"text,id\n")]
)
@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_a_file_of_a_header_alone_keeps_its_columns(score, tmp_path, content, out):
    (tmp_path / "in.csv").write_bytes(content)
    assert score(tmp_path / "in.csv", tmp_path / out) == 0
    if out == "out.csv":
        head = (tmp_path / out).read_text().splitlines()[0]
        assert head.startswith("text,id,label,probability_")
    assert read_rows(tmp_path / out) == []
    with pytest.raises(ConfigurationError, match=r"no column 'review'; .*columns: 'text', 'id'"):
        score(tmp_path / "in.csv", tmp_path / "b.csv", text_column="review")


def test_lines_of_fasttext_are_scored_under_a_prefix(score, tmp_path):
    (tmp_path / "in.txt").write_text("__label__a good film\n__label__a __label__b bad\n")
    for out in ("out.csv", "out.jsonl"):
        with pytest.raises(ConfigurationError, match="already has a column 'label'"):
            score(tmp_path / "in.txt", tmp_path / out)
        assert score(tmp_path / "in.txt", tmp_path / out, prefix="predicted_") == 2
    scored = read_rows(tmp_path / "out.jsonl")
    assert [row["label"] for row in scored] == ["a", ["a", "b"]]
    assert all(row["predicted_label"] for row in scored)


def test_the_first_text_of_a_headerless_file_is_not_told(score, tmp_path):
    for number, line in enumerate(("zanzibar is a place,pos", "zanzibar,pos", "zanzibar")):
        path = tmp_path / f"{number}.csv"
        path.write_text(f"{line}\nother,pos\n"[: None if "," in line else -5])
        with pytest.raises(ConfigurationError) as caught:
            score(path, tmp_path / "out.csv")
        assert "zanzibar" not in str(caught.value)
        assert "the first line must be the names of the columns" in str(caught.value)


@pytest.mark.parametrize("name", ["a.xlsx", "a.json", "a.txt", "a.csv.xz", "a.csv.zip", "a.zst"])
def test_other_formats_are_read_and_not_written(tmp_path, name):
    with pytest.raises(ConfigurationError, match="must be one of csv, tsv, jsonl, parquet; all"):
        require_output_format(tmp_path / name)


def test_the_command_takes_every_readable_format_and_quoting():
    given = command._parser().parse_args(
        ["in.data", "out.csv", "--in-format", "fasttext", "--quoting", "none"]
    )
    assert (given.in_format, given.quoting) == ("fasttext", "none")
    with pytest.raises(SystemExit):
        command._parser().parse_args(["a.csv", "b.csv", "--quoting", "single"])
