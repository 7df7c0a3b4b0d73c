"""Columns of every type pass through, or are refused by name before any row is scored."""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet
from valence.service.errors import ConfigurationError

from tests.support.tables import read_rows, write_table

_INSTANT = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
_NAIVE = _INSTANT.replace(tzinfo=None)
_NS = 1_709_209_815_123_456_789
# by name: type, two values, and the second as text formats hold it
PLAIN = {
    "null": (pa.null(), None, None, None),
    "bool": (pa.bool_(), False, True, True),
    "int8": (pa.int8(), -1, 127, 127),
    "uint8": (pa.uint8(), 0, 255, 255),
    "int16": (pa.int16(), -1, 32_767, 32_767),
    "uint16": (pa.uint16(), 1, 65_535, 65_535),
    "int32": (pa.int32(), -1, 2**31 - 1, 2**31 - 1),
    "uint32": (pa.uint32(), 1, 2**32 - 1, 2**32 - 1),
    "int64": (pa.int64(), -1, 2**63 - 1, 2**63 - 1),
    "uint64": (pa.uint64(), 1, 2**64 - 1, 2**64 - 1),
    "half": (pa.float16(), 0.5, 1.5, 1.5),
    "float": (pa.float32(), 0.5, 0.25, 0.25),
    "double": (pa.float64(), 0.5, 0.1, 0.1),
    "string": (pa.string(), "", 'a,"b"\n', 'a,"b"\n'),
    "large_string": (pa.large_string(), "", "große", "große"),
    "string_view": (pa.string_view(), "", "länger als zwölf", "länger als zwölf"),
    "decimal": (
        pa.decimal128(20, 4),
        Decimal("-1.1000"),
        Decimal("12345678901234.5678"),
        "12345678901234.5678",
    ),
    "decimal256": (
        pa.decimal256(50, 2),
        Decimal("1.10"),
        Decimal("9" * 40 + ".25"),
        "9" * 40 + ".25",
    ),
    "date32": (pa.date32(), date(1, 1, 1), date(2024, 2, 29), "2024-02-29"),
    "date64": (pa.date64(), date(1970, 1, 1), date(2024, 2, 29), "2024-02-29"),
    "time32": (pa.time32("ms"), time(0), time(12, 30, 15, 123_000), "12:30:15.123"),
    "time64": (pa.time64("ns"), 0, 45_015_123_456_789, "12:30:15.123456789"),
    "seconds": (pa.timestamp("s"), 0, _NS // 10**9, "2024-02-29T12:30:15.000"),
    "micros": (pa.timestamp("us"), _NAIVE, _NAIVE, "2024-02-29T12:30:15.123456"),
    "nanos": (pa.timestamp("ns"), 0, _NS, "2024-02-29T12:30:15.123456789"),
    "utc": (pa.timestamp("ns", "UTC"), 0, _NS, "2024-02-29T12:30:15.123456789Z"),
    "zoned": (
        pa.timestamp("us", "Europe/Berlin"),
        _INSTANT,
        _INSTANT,
        "2024-02-29T12:30:15.123456Z",
    ),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), "a", "b", "b"),
    "list": (pa.list_(pa.int16()), [], [1, None], [1, None]),
    "large_list": (pa.large_list(pa.string()), ["a"], ["b", "c"], ["b", "c"]),
    "fixed_list": (pa.list_(pa.float32(), 2), [0.5, 1.5], [0.25, 2.5], [0.25, 2.5]),
    "times": (
        pa.list_(pa.timestamp("ns")),
        [0],
        [_NS, None],
        ["2024-02-29T12:30:15.123456789", None],
    ),
    "struct": (
        pa.struct([("a", pa.int8()), ("b", pa.decimal128(4, 2))]),
        {"a": 1, "b": None},
        {"a": 2, "b": Decimal("1.50")},
        {"a": 2, "b": "1.50"},
    ),
    "nested": (
        pa.list_(pa.struct([("d", pa.date32()), ("l", pa.list_(pa.string()))])),
        [],
        [{"d": date(2024, 2, 29), "l": ["x"]}],
        [{"d": "2024-02-29", "l": ["x"]}],
    ),
    "map": (pa.map_(pa.string(), pa.int32()), [], [("k", 1)], [{"key": "k", "value": 1}]),
}
# types that text cannot hold
OTHER = {
    "binary": (pa.binary(), b"", b"\x00\xff"),
    "large_binary": (pa.large_binary(), b"", b"\x00\xff"),
    "fixed_binary": (pa.binary(2), b"ab", b"\x00\xff"),
    "duration": (pa.duration("ns"), timedelta(0), timedelta(days=1, microseconds=1)),
    "bytes_in_list": (pa.list_(pa.binary()), [b""], [b"\xff"]),
    "bytes_in_struct": (pa.struct([("b", pa.binary())]), {"b": b""}, {"b": b"\xff"}),
    "bytes_in_map": (pa.map_(pa.string(), pa.binary()), [], [("k", b"\xff")]),
}
TEXTS = ["good", "bad movie", None] * 5


def table_of(columns) -> pa.Table:
    """Return a table of 15 rows, in which each column has both values and null."""
    arrays = [
        pa.array([first, second, None] * 5, kind) for kind, first, second, *_ in columns.values()
    ]
    fields = [pa.field(name, array.type) for name, array in zip(columns, arrays, strict=True)]
    schema = pa.schema([*fields, pa.field("text", pa.string())], metadata={"made": "here"})
    return pa.Table.from_arrays([*arrays, pa.array(TEXTS)], schema=schema)


def test_parquet_keeps_every_type_and_value_of_its_input(score, tmp_path):
    table = table_of({**PLAIN, **OTHER})
    parquet.write_table(table, tmp_path / "in.parquet")
    assert score(tmp_path / "in.parquet", tmp_path / "out.parquet") == 15
    given = parquet.read_table(tmp_path / "in.parquet")
    found = parquet.read_table(tmp_path / "out.parquet").select(given.column_names)
    assert found.schema.equals(given.schema, check_metadata=True)
    assert found.equals(given)
    # and Parquet itself keeps what was written
    assert given.schema.field("nanos").type == pa.timestamp("ns")
    assert given.column("int8").to_pylist() == [-1, 127, None] * 5


@pytest.mark.parametrize("out", ["out.jsonl", "out.csv", "out.tsv.gz"])
def test_text_formats_keep_the_values_that_text_can_hold(score, tmp_path, out):
    parquet.write_table(table_of(PLAIN), tmp_path / "in.parquet")
    assert score(tmp_path / "in.parquet", tmp_path / out) == 15
    rows = read_rows(tmp_path / out)
    for name, (*_, held) in PLAIN.items():
        found, absent = rows[1][name], rows[2][name]
        if out == "out.jsonl":
            assert (found, absent) == (held, None), name
        elif isinstance(held, list | dict):
            assert (json.loads(found), absent) == (held, ""), name
        else:
            assert found == {None: "", True: "true"}.get(held, str(held)), name
            assert absent == ""


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize("out", ["out.jsonl", "out.csv"])
def test_a_type_that_text_cannot_hold_is_refused_by_column(
    score, tmp_path, counting_engine, name, out
):
    parquet.write_table(table_of({name: OTHER[name]}), tmp_path / "in.parquet")
    with pytest.raises(ConfigurationError, match=rf"the column '{name}' .*\(\.parquet\)"):
        score(tmp_path / "in.parquet", tmp_path / out)
    assert not counting_engine.calls
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3], pa.int64()),
        ([1, 2.5, None], pa.float64()),
        ([2**63, 1, None], pa.uint64()),
        ([True, None, False], pa.bool_()),
        (["a", None, ""], pa.string()),
        ([[1], [], [2.5]], pa.list_(pa.float64())),
        ([{"a": 1}, {"b": "x"}, None], pa.struct([("a", pa.int64()), ("b", pa.string())])),
        ([None, None, None], pa.null()),
    ],
)
@pytest.mark.parametrize("repeated", [1, 6])
def test_json_values_get_the_type_that_holds_them_all(score, tmp_path, values, kind, repeated):
    # repeated: values of one kind come in parts of their own
    rows = [{"x": value, "text": "good"} for value in values for _ in range(repeated)]
    source = write_table(tmp_path / "in.jsonl", rows)
    score(source, tmp_path / "out.parquet")
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.schema.field("x").type == kind
    wanted = pa.array([row["x"] for row in rows], kind)
    assert found.column("x").combine_chunks().equals(wanted)


@pytest.mark.parametrize(
    "values",
    [
        [1, "a"],
        ["a", [1]],
        [{"a": 1}, 2],
        [True, 1],
        [2**70, 1],
        [2**53 + 1, 0.5],
        [[1], ["a"]],
        [{"a": 1}, {"a": "x"}],
        ["\ud83d", "a"],
        [{}, {}],
    ],
)
@pytest.mark.parametrize("repeated", [1, 9])
def test_json_values_of_no_one_type_are_refused_by_column(
    score, tmp_path, counting_engine, values, repeated
):
    rows = [{"text": "good", "x": value} for value in values for _ in range(repeated)]
    source = write_table(tmp_path / "in.jsonl", rows)
    with pytest.raises(ConfigurationError, match=r"the column 'x' has .*\(\.jsonl\)"):
        score(source, tmp_path / "out.parquet")
    assert not counting_engine.calls
    score(source, tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["x"] for line in lines] == [row["x"] for row in rows]


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_a_field_that_comes_late_is_a_column_of_the_table(score, tmp_path, out):
    rows = [{"text": "good"}] * 20 + [{"text": "bad", "late": 1}]
    score(write_table(tmp_path / "in.jsonl", rows), tmp_path / out)
    found = [row["late"] for row in read_rows(tmp_path / out)]
    assert found == [found[0]] * 20 + (["1"] if out == "out.csv" else [1])
    assert found[0] in ("", None)


def test_a_late_field_with_the_name_of_a_score_is_refused(score, tmp_path, counting_engine):
    rows = [{"text": "good"}] * 20 + [{"text": "bad", "label": "mine"}]
    source = write_table(tmp_path / "in.jsonl", rows)
    with pytest.raises(ConfigurationError, match=r"already has a column 'label'.*--prefix"):
        score(source, tmp_path / "out.jsonl")
    assert not counting_engine.calls


def test_half_a_character_is_refused_where_csv_cannot_hold_it(score, tmp_path, counting_engine):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "good", "x": 1}\n{"text": "bad", "x": {"a": ["\\ud83d"]}}\n')
    with pytest.raises(ConfigurationError, match="line 2: the column 'x' has half of a character"):
        score(source, tmp_path / "out.csv")
    assert not counting_engine.calls
    score(source, tmp_path / "out.jsonl")
    assert read_rows(tmp_path / "out.jsonl")[1]["x"] == {"a": ["\ud83d"]}


def test_numbers_that_json_does_not_have_stay_valid_json(score, tmp_path):
    values = [math.nan, math.inf, -math.inf, 1.5]
    table = pa.table({"x": values, "l": [[value] for value in values], "text": ["good"] * 4})
    parquet.write_table(table, tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "out.jsonl")

    def refuse(constant):
        raise AssertionError(constant)

    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    rows = [json.loads(line, parse_constant=refuse) for line in lines]
    assert [row["x"] for row in rows] == [None, "Infinity", "-Infinity", 1.5]
    assert [row["l"] for row in rows] == [[None], ["Infinity"], ["-Infinity"], [1.5]]
    score(tmp_path / "in.parquet", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["x"] for row in csv.DictReader(file)] == ["nan", "inf", "-inf", "1.5"]


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["good", None, "bad"], pa.large_string()),
        pa.array(["good", None, "bad"], pa.string_view()),
        pa.array(["good", None, "bad"]).dictionary_encode(),
        pa.array([b"good", None, b"bad"], pa.binary()),
    ],
    ids=lambda array: str(array.type),
)
def test_every_array_of_texts_is_scored(score, tmp_path, array):
    parquet.write_table(pa.table({"text": array}), tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "out.parquet")
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.schema.field("text").type == array.type
    assert found.column("label").to_pylist() == ["negative", "uncertain", "neutral"]


def test_bytes_that_are_no_text_cost_their_row_only(score, tmp_path):
    array = pa.array([b"good", b"\xff", b"bad"], pa.binary())
    parquet.write_table(pa.table({"text": array}), tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "out.parquet")
    found = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["label"] is None for row in found] == [False, True, False]
    assert "not UTF-8" in found[1]["error"]


def test_a_column_without_texts_is_refused_with_its_type(score, tmp_path):
    table = pa.table({"text": [1, 2], "other": ["a", "b"]})
    parquet.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(ConfigurationError, match="'text' has values of the type int64, not texts"):
        score(tmp_path / "in.parquet", tmp_path / "out.parquet")


JSON_VALUES = {
    "flag": [True, False, None],
    "count": [1, 2**63 - 1, None],
    "share": [0.1, 1e300, None],
    "words": ["", "größe \u2028 \U0001f600", None],
    "list": [[], [1, None], None],
    "object": [{"a": 1, "b": {"c": "x"}}, {"a": None, "b": None}, None],
}


@pytest.mark.parametrize("out", ["out.jsonl", "out.jsonl.gz", "out.parquet", "out.csv", "out.tsv"])
def test_every_value_of_json_comes_out_as_it_came_in(score, tmp_path, out):
    rows = [
        {name: values[number % 3] for name, values in JSON_VALUES.items()} | {"text": "good"}
        for number in range(20)
    ]
    score(write_table(tmp_path / "in.jsonl", rows), tmp_path / out)
    for row, found in zip(rows, read_rows(tmp_path / out), strict=True):
        for name in JSON_VALUES:
            value = row[name]
            if "csv" not in out and "tsv" not in out:
                assert found[name] == value, name
            elif isinstance(value, list | dict | float | bool):
                assert json.loads(found[name]) == value, name
            else:
                assert found[name] == ("" if value is None else str(value)), name


@pytest.mark.parametrize("name", ["in.csv", "in.tsv", "in.csv.gz"])
@pytest.mark.parametrize("out", ["out.csv", "out.tsv.gz", "out.jsonl", "out.parquet"])
def test_every_cell_of_a_delimited_file_stays_a_text(score, tmp_path, name, out):
    cells = ["", "007", "1e5", "nan", "NULL", "true", ' "x", ', "a\tb", "two\nlines", "=1+1"]
    rows = [{"x": cell, "text": "good"} for cell in cells]
    score(write_table(tmp_path / name, rows), tmp_path / out)
    assert [row["x"] for row in read_rows(tmp_path / out)] == cells
