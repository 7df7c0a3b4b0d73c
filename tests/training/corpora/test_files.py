from __future__ import annotations

import dataclasses
import gzip
import json
from contextlib import closing
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet
from valence.service.errors import ConfigurationError
from valence.service.files.formats import require_format
from valence.service.score.options import Options
from valence.service.score.sources import open_source
from valence.training.config.columns import Columns
from valence.training.corpora import catalog
from valence.training.corpora.files import find_files, name_files, read_examples
from valence.training.data import large_files
from valence.training.runtime.progress import Reporter

from tests.support.table_files import PACKERS, pack_zip, write_csv, write_workbook

TABLE = Columns(text="review", label="stars")
TAGS = dataclasses.replace(TABLE, task="multi_label")
PACKED_HEADER = gzip.compress(b"review,stars\n", mtime=0)
ROWS = [("Fine, really.", "4"), ('A "so-called"\nhotel', "1"), ("Café", "5")]


def labelled_texts(path: Path, table: Columns = TABLE) -> list[tuple[str, str | tuple[str, ...]]]:
    return [(example.text, example.label) for example in read_examples(path, table, corpus="mine")]


def refusal_of(path: Path, table: Columns = TABLE) -> str:
    with pytest.raises(ConfigurationError) as caught:
        labelled_texts(path, table)
    return str(caught.value)


def delimited(delimiter: str) -> str:
    lines = [delimiter.join(("stars", "id", "review"))]
    for text, stars in ROWS:
        quoted = '"' + text.replace('"', '""') + '"'
        lines.append(delimiter.join((stars, "7", quoted)))
    return "\r\n".join(lines) + "\r\n"


def json_lines() -> str:
    return "".join(json.dumps({"review": text, "stars": int(stars)}) + "\n" for text, stars in ROWS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", delimited(",")),
        ("a.tsv", delimited("\t")),
        ("a.jsonl", json_lines()),
        ("A.NDJSON", "\n" + json_lines()),
    ],
)
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_format_and_encoding_gives_the_same_rows(
    tmp_path: Path, name: str, content: str, encoding: str, zipped: bool
) -> None:
    data = content.encode(encoding)
    path = tmp_path / (name + ".gz" * zipped)
    path.write_bytes(gzip.compress(data) if zipped else data)
    said = encoding.removesuffix("-sig")
    assert labelled_texts(path, dataclasses.replace(TABLE, encoding=said)) == ROWS
    assert labelled_texts(path) == ROWS


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    """Integers in a column with gaps stay integers."""
    path = tmp_path / "a.parquet"
    texts, stars = zip(*ROWS, strict=True)
    for values in ([int(one) for one in stars], [float(one) for one in stars], stars):
        parquet.write_table(pyarrow.table({"stars": list(values), "review": list(texts)}), path)
        assert labelled_texts(path) == ROWS


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("a|b", ("a", "b")),
        (" b | a |b", ("b", "a")),
        (["a", "b", "a"], ("a", "b")),
        ([3, 4.0, True], ("3", "4", "true")),
        (7, ("7",)),
        ("", ()),
        ([], ()),
        (None, ()),
    ],
)
def test_several_labels_are_a_list_or_one_string(
    tmp_path: Path, value: object, labels: tuple[str, ...]
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"review": "x", "stars": value}))
    assert labelled_texts(path, TAGS) == [("x", labels)]


def test_the_separator_is_configurable(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("review,stars\nx,a;b\n")
    assert labelled_texts(path, dataclasses.replace(TAGS, label_separator=";")) == [
        ("x", ("a", "b"))
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "reviews,stars\nx,1\n", "line 1: no column 'review'; did you mean"),
        ("a.csv", "review,grade\nx,1\n", "no column 'stars'; columns: 'review', 'gr"),
        (
            "a.csv",
            "review,stars,stars\nx,1,1\n",
            "line 1: the columns 2 and 3 have the same name, 'stars'",
        ),
        ("a.csv", "", "the file is empty"),
        ("a.csv", 'review,stars\n"x\ny",1\nx\n', "line 4: 1 fields, the header has 2"),
        ("a.csv", "review,stars\nx,y,1\n", "line 2: 3 fields, the header has 2; put"),
        ("a.csv", "review,stars\nx,1\nx, \n", "line 3: column 'stars' is empty; give the text"),
        ("a.csv", 'review,stars\n"x" y,1\n"a,b",1', "look for an open quotation mark"),
        ("a.csv", 'review,stars\n"a,b",1\n"x,1\n', "look for an open quotation mark"),
        ("a.jsonl", '{"review": "x", "stars": 1}\n{"review"', "line 2: not JSON ("),
        ("a.jsonl", "[1]", "line 1: a int, not an object"),
        (
            "a.jsonl",
            '{"review": "x"}',
            "line 1: no column 'stars'; columns: 'review'",
        ),
        ("a.jsonl", '{"review": 5, "stars": 1}', "column 'review' holds a int, not a text"),
        ("a.jsonl", '{"review": "x", "stars": ["a"]}', "several labels a text set task"),
        ("a.jsonl", '{"review": "x", "stars": null}', "column 'stars' is empty"),
        ("a.parquet", "PAR1", "cannot be read as a Parquet file"),
    ],
)
def test_an_invalid_row_is_named_with_its_place_and_remedy(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    said = refusal_of(path)
    assert said.startswith(str(path))
    assert message in said
    assert "\n" not in said


def test_an_invalid_label_is_named_by_its_type(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"review": "secret words", "stars": [{"a": "b" * 99}]}))
    said = refusal_of(path, TAGS)
    assert "column 'stars' holds a dict, which is no label" in said
    assert "bbb" not in said
    assert "secret" not in said


@pytest.mark.parametrize("zipped", [False, True])
def test_bytes_of_another_encoding_are_reported_by_line(tmp_path: Path, zipped: bool) -> None:
    content = b"review,stars\n" + b"xy,1\n" * 250_000 + b"Caf\xe9,1\n"
    path = tmp_path / ("a.csv" + ".gz" * zipped)
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert (
        f"{path}, line 250002: the byte 0xe9 is not UTF-8; set the encoding of the lines"
        in refusal_of(path)
    )
    unknown = dataclasses.replace(TABLE, encoding="utf-99")
    assert "'utf-99' is not an encoding" in refusal_of(path, unknown)


@pytest.mark.parametrize(
    ("encoding", "guessed"), [("utf-8", False), ("utf-16", False), ("cp1252", True)]
)
def test_guessed_encoding_is_reported(tmp_path: Path, encoding: str, guessed: bool) -> None:
    """The record of a file holds the encoding and whether it is a guess."""
    path = tmp_path / "a.csv"
    path.write_text(delimited(","), encoding=encoding)
    (labelled_texts,) = catalog.load_corpora(
        (), cache=tmp_path, patterns=[str(path)], columns=TABLE
    ).records
    assert (labelled_texts.encoding, labelled_texts.encoding_guessed) == (encoding, guessed)
    table = dataclasses.replace(TABLE, encoding=encoding)
    (said,) = catalog.load_corpora((), cache=tmp_path, patterns=[str(path)], columns=table).records
    assert (said.encoding, said.encoding_guessed) == (None, False)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_the_delimiter_is_detected_from_the_rows(tmp_path: Path, name: str, delimiter: str) -> None:
    path = tmp_path / name
    path.write_text(delimited(delimiter))
    assert labelled_texts(path) == ROWS


def test_a_row_over_the_size_limit_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("valence.service.files.lines.MAX_ROW", 200)
    path = tmp_path / "a.csv"
    path.write_text(f"review,stars\n{'x' * 197},1\n")
    assert labelled_texts(path) == [("x" * 197, "1")]
    path.write_text(f"review,stars\n{'x' * 198},1\n")
    assert "line 2: more than 4,000,000 characters" in refusal_of(path)


def test_files_folders_and_globs_give_each_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.csv", "a.jsonl.gz", "notes.md", "deep/b.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    whole = [Path("a.jsonl.gz"), Path("b.csv"), Path("deep/b.csv")]
    assert list(find_files(["."])) == whole
    assert list(find_files(["**/*.csv"])) == whole[1:]
    assert list(find_files(["b.csv", "."])) == [whole[1], whole[0], whole[2]]
    assert name_files(find_files(["."])) == ("a.jsonl.gz", "b.csv", "deep/b.csv")
    with pytest.raises(ConfigurationError, match=rf"c.csv: no file of that name.*{tmp_path}"):
        find_files(["c.csv"])
    for wrong in ("notes.md", "*.md"):
        with pytest.raises(ConfigurationError, match=r"notes.md: the extension must be one of"):
            find_files([wrong])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="empty: no file"):
        find_files(["empty"])


def test_own_files_are_handled_like_published_corpora(tmp_path: Path) -> None:
    """Duplicates are dropped, and the record is the same."""
    for name, content in (
        ("a.csv", "review,stars\nGood!,5\ngood,4\n,1\n"),
        ("b.csv", "review,stars\nGOOD,5\nbad,1\n"),
    ):
        (tmp_path / name).write_text(content)
    loaded = catalog.load_corpora((), cache=tmp_path, patterns=[str(tmp_path)], columns=TABLE)
    assert [(e.text, e.label, e.corpus) for e in loaded.examples] == [
        ("Good!", "5", "a.csv"),
        ("bad", "1", "b.csv"),
    ]
    first, second = loaded.records
    assert (first.name, first.texts, second.texts) == ("a.csv", 1, 1)
    assert str(tmp_path) not in first.model_dump_json()
    assert loaded.counts["a.csv"] == catalog.Counts(3, 1, 1, 0, 1)
    assert loaded.counts["b.csv"] == catalog.Counts(2, 0, 0, 1, 1)


def test_other_encodings_are_streamed_from_utf_8_copies(tmp_path: Path) -> None:
    for name, encoding in (("a.csv", "utf-16"), ("b.csv", "cp1252")):
        (tmp_path / name).write_text(delimited(","), encoding=encoding)
    (tmp_path / "c.jsonl").write_text(json_lines(), encoding="utf-16")
    (tmp_path / "d.jsonl").write_text(json_lines(), encoding="utf-8-sig")
    source = large_files.open_source([str(tmp_path)], TABLE, tmp_path / "x", Reporter(quiet=True))
    assert [
        (example.text, example.label) for part in source.ranges for example in source.read(part)
    ] == ROWS * 4


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "null"])
def test_a_label_that_is_no_finite_number_is_missing(tmp_path: Path, value: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"review": "Fine", "stars": 4}}\n{{"review": "Bad", "stars": {value}}}\n')
    assert "line 2: column 'stars' is empty; give the text a label" in refusal_of(path)
    assert labelled_texts(path, TAGS) == [("Fine", ("4",)), ("Bad", ())]
    path.write_text(f'{{"review": "Fine", "stars": ["a", {value}, "b"]}}\n')
    assert labelled_texts(path, TAGS) == [("Fine", ("a", "b"))]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None])
def test_a_parquet_label_that_is_not_finite_is_missing(tmp_path: Path, value: float | None) -> None:
    path = tmp_path / "a.parquet"
    columns = {"stars": pyarrow.array([4.0, value]), "review": ["Fine", "Bad"]}
    parquet.write_table(pyarrow.table(columns), path)
    assert "row 2: column 'stars' is empty" in refusal_of(path)
    assert labelled_texts(path, TAGS) == [("Fine", ("4",)), ("Bad", ())]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "null"])
def test_a_text_that_is_not_finite_is_an_empty_text(tmp_path: Path, value: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"review": {value}, "stars": 4}}\n')
    assert labelled_texts(path) == [("", "4")]
    path.write_text('{"review": 7.5, "stars": 4}\n')
    assert "holds a float, not a text" in refusal_of(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"review,stars\n"),
        ("a.jsonl", b""),
        ("a.json", b"[]"),
        ("a.csv.gz", PACKED_HEADER),
    ],
)
def test_a_file_without_rows_is_told_to_be_empty(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"{name}: the file is empty"):
        catalog.load_corpora((), cache=tmp_path, patterns=[str(path)], columns=TABLE)
    with pytest.raises(ConfigurationError, match=rf"{name}: the file is empty"):
        large_files.open_source([str(path)], TABLE, tmp_path / "copies", Reporter(quiet=True))


def test_rows_without_any_text_name_the_column_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("review,stars\n,1\n  ,2\n")
    with pytest.raises(ConfigurationError, match="column 'review' is empty in all 2 rows"):
        catalog.load_corpora((), cache=tmp_path, patterns=[str(path)], columns=TABLE)


def write_each_kind(folder: Path) -> list[Path]:
    """One table in files of all kinds; the text of one row is missing."""
    columns, rows = ("review", "stars"), [("Fine, really.", "4"), ("", "1"), ('say "x"\nA', "5")]
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    nulls = [{**record, "review": record["review"] or None} for record in records]
    csv_text = write_csv(columns, records)
    contents = {
        "a.csv": csv_text.encode(),
        "b.csv": write_csv(columns, records, delimiter=";", lineterminator="\r").encode("utf-16"),
        "c.csv": b"sep=;\r\n" + write_csv(columns, records, delimiter=";").encode(),
        "d.csv": gzip.compress(csv_text.encode()),
        "e.tsv": write_csv(columns, records, delimiter="\t").encode(),
        "f.jsonl": "".join(json.dumps(one) + "\n" for one in nulls).encode(),
        "g.json": json.dumps(nulls, indent=1).encode(),
        "h.json": "\n".join(json.dumps(one, indent=1) for one in records).encode(),
        "i.jsonl": "".join(json.dumps(one) + "\n" for one in records).replace('""', "NaN").encode(),
        "k.jsonl": "".join(
            json.dumps({name: value for name, value in one.items() if value is not None}) + "\n"
            for one in nulls
        ).encode(),
        "l.xlsx": write_workbook([columns, *rows]),
        "m.csv.zip": pack_zip(csv_text.encode(), "reviews.csv"),
        **{f"n.csv{name}": pack(csv_text.encode()) for name, pack in PACKERS.items()},
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    for name, kind in (("o", pyarrow.string()), ("p", pyarrow.binary())):
        values = pyarrow.array([one["review"] for one in nulls]).cast(kind)
        stars = pyarrow.array([row[1] for row in rows])
        parquet.write_table(
            pyarrow.table({"review": values, "stars": stars}), folder / f"{name}.parquet"
        )
    return sorted(folder.iterdir())


def test_training_reads_every_file_also_streamed(tmp_path: Path) -> None:
    """A missing text is left out and counted, whatever the format."""
    folder = tmp_path / "data"
    folder.mkdir()
    expected = [("Fine, really.", "4"), ("", "1"), ('say "x"\nA', "5")]
    for path in write_each_kind(folder):
        assert labelled_texts(path) == expected, path
        loaded = catalog.load_corpora((), cache=tmp_path, patterns=[str(path)], columns=TABLE)
        assert (loaded.records[0].texts, loaded.records[0].empty) == (2, 1), path
        source = large_files.open_source(
            [str(path)], TABLE, tmp_path / "copies", Reporter(quiet=True)
        )
        streamed = [one for part in source.ranges for one in source.read(part)]
        assert [(one.text, one.label) for one in streamed] == [expected[0], expected[2]], path


def test_scoring_and_training_read_the_same_texts(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for path in write_each_kind(folder):
        options = Options("review", require_format(path), "jsonl")
        with closing(open_source(path, options)) as source:
            texts = [text for part in source.read_parts() for text in part.read_texts("review")]
        assert texts == [text for text, _ in labelled_texts(path)], path


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "null"])
def test_a_label_that_is_not_finite_is_missing(tmp_path: Path, value: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"review": "x", "stars": 1}}\n{{"review": "y", "stars": {value}}}\n')
    assert "line 2: column 'stars' is empty" in refusal_of(path)
    assert labelled_texts(path, TAGS) == [("x", ("1",)), ("y", ())]
    path.write_text(f'[{{"review": {value}, "stars": 1}}]')
    assert labelled_texts(path) == [("", "1")]


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        (pyarrow.float64(), ["1", "2"]),
        (pyarrow.int8(), ["1", "2"]),
        (pyarrow.decimal128(5, 2), ["1", "2"]),
        (pyarrow.dictionary(pyarrow.int8(), pyarrow.string()), ["1", "2"]),
    ],
)
def test_labels_of_parquet_are_texts_or_numbers(tmp_path: Path, kind, labels) -> None:
    path = tmp_path / "a.parquet"
    values = pyarrow.array(["1", "2"])
    stars = values.dictionary_encode() if "dict" in str(kind) else values.cast(kind)
    parquet.write_table(pyarrow.table({"review": ["a", "b"], "stars": stars}), path)
    assert [label for _, label in labelled_texts(path)] == labels


def test_a_text_of_parquet_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = pyarrow.array([b"good", b"secret \xe9", b"bad"]).view(pyarrow.string())
    parquet.write_table(pyarrow.table({"review": texts, "stars": ["1", "2", "3"]}), path)
    said = refusal_of(path)
    assert "row 2: a value cannot be read, such as a text that is not UTF-8" in said
    assert "secret" not in said


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_the_other_rows_without_a_label_are_named_too(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.csv":
        path.write_text("review,stars\n" + "x,1\n" * 90 + "x, \n" * 7 + "x,1\n")
        first = 92
    else:
        lines = [{"review": "x", "stars": 1}, *({"review": "x", "stars": None} for _ in range(7))]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        first = 2
    said = refusal_of(path)
    assert f"line {first}: column 'stars' is empty; give the text a label or remove" in said
    others = ", ".join(f"line {number}" for number in range(first + 1, first + 6))
    assert said.endswith(f"(faulty too: {others} and 1 more)")


def test_the_other_faulty_rows_are_named_too(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    good = "caf\u00e9,1\n".encode() * 90
    path.write_bytes(b"review,stars\n" + good + b"caf\xe9,1\n" * 7)
    said = refusal_of(path)
    assert "line 92: the byte 0xe9 is not UTF-8; set the encoding of the lines" in said
    assert said.endswith("(faulty too: line 93, line 94, line 95, line 96, line 97 and 1 more)")
    both = dataclasses.replace(TABLE, encoding="utf-8,cp1252")
    assert {text for text, _ in labelled_texts(path, both)} == {"caf\u00e9"}


def test_quoting_is_an_option_of_training(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('review\tstars\n"open\t1\nclose"\t2\n')
    assert "--quoting none" in refusal_of(path)
    chosen = dataclasses.replace(TABLE, quoting="none")
    assert labelled_texts(path, chosen) == [('"open', "1"), ('close"', "2")]


def test_a_folder_of_other_json_is_read_by_name_only(tmp_path: Path) -> None:
    """A description of the data beside them is no data."""
    (tmp_path / "a.csv").write_text("review,stars\nx,1\n")
    (tmp_path / "dataset_infos.json").write_text('{"splits": 3}')
    (tmp_path / "b.csv.xz").write_bytes(PACKERS[".xz"](b"review,stars\ny,2\n"))
    assert [path.name for path in find_files([str(tmp_path)])] == ["a.csv", "b.csv.xz"]
    (tmp_path / "a.csv").unlink()
    (tmp_path / "b.csv.xz").unlink()
    (tmp_path / "c.txt").write_text("__label__a x\n")
    found = [path.name for path in find_files([str(tmp_path)])]
    assert found == ["c.txt", "dataset_infos.json"]
