from __future__ import annotations

import gzip
import json
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.service.files import lines
from valence.service.files.formats import require_format
from valence.service.files.rows import Rows, has_plain_lines
from valence.service.files.table import Row

from tests.support.table_files import PACKERS, pack_zip, write_workbook

CANARY = "zanzibar"
# without the time, which would be in the names of tests
TAR = gzip.compress(b"a" * 257 + b"ustar" + b"\0" * 99, mtime=0)
PACKED_LINE = gzip.compress(b'{"text": "a"}\n', mtime=0)
CUT_ZIP = b"PK\x03\x04" + pack_zip(b"text\n")[14:40]


@pytest.fixture
def put(tmp_path):
    def put(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def read_all(path: Path, **options) -> list[Row]:
    with closing(Rows(path, require_format(path), **options)) as rows:
        return list(rows)


def values_of(path: Path, **options) -> list[tuple[object, ...]]:
    """The values of all rows; a fault fails."""
    found = read_all(path, **options)
    assert not [row.fault for row in found if row.fault]
    return [tuple(row.values.values()) for row in found]


def faults_of(path: Path, **options) -> dict[str, str]:
    return {row.place: row.fault for row in read_all(path, **options) if row.fault}


def refusal_of(path: Path, **options) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_all(path, **options)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    return said.removeprefix(str(path))


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "text,cat\na bc\0d,x\nd e f g,y\n"),
        ("utf-8", "text,cat\n\0,x\nd e f g,y\n"),
        ("utf-8", "text,cat\nCaf\u00e9 \0\0,x\n\u8bc4,y\n"),
        ("cp1252", "text,cat\nCaf\u00e9 \0bon,x\nd\u00e9j\u00e0 vu,y\n"),
        ("utf-16", "text,cat\na bc\0d,x\n\u4e00\u4e0a,y\n"),
        ("utf-16-le", "text,cat\na bc\0d,x\nd e f g,y\n"),
        ("utf-16-be", "\u8bc4\u8bba,\u597d\n\u4e00\u4e00\u4e00,\u4e0a\n\u4e0a\u4e0a,\u4e0a\n"),
        ("utf-32-le", "text,cat\na bc\0d,x\nd e f g,y\n"),
    ],
)
def test_a_zero_is_a_character_or_half_of_one(put, encoding, text):
    """Many zeros that all belong to ASCII characters are those of UTF-16."""
    expected = [tuple(line.split(",")) for line in text.splitlines()[1:]]
    assert values_of(put("a.csv", text.encode(encoding))) == expected


UNQUOTED = [
    ('"Great movie', "a"),
    ("plain", "b"),
    ('he said "yes"', "a"),
    ('so be it"', "b"),
    ("last", "a"),
]


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "|"])
@pytest.mark.parametrize("count", [1, 80])
def test_quotation_marks_of_an_unquoted_file_are_kept(put, delimiter, count):
    rows = UNQUOTED * count
    content = "".join(delimiter.join(row) + "\n" for row in [("text", "cat"), *rows])
    assert values_of(put("a.tsv", content)) == rows
    assert values_of(put("a.tsv", content), quoting="none") == rows


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # texts that begin or end with quotation marks, each line by itself
        ("text\tcat\n" + '"open\ta\nclose"\tb\n' * 3, ['"open', 'close"'] * 3),
        ('text\tcat\n"good" film\ta\n"bad\tb\n', ['"good" film', '"bad']),
        ('text\tcat\nnice\ta\n"never closed\tb\nlast\tb\n', ["nice", '"never closed', "last"]),
        ('text,cat\n"open,a\nsay "x",b\nclose",a\n', ['"open', 'say "x"', 'close"']),
        # fields in quotation marks
        ('text\tcat\n"a\tb"\tx\n"c\nd"\ty\n', ["a\tb", "c\nd"]),
        ('"text"\t"cat"\n"a\nb"\t"x"\n', ["a\nb"]),
        ('text,cat\n"a ""b""\nc",x\n"d, e",y\n', ['a "b"\nc', "d, e"]),
        ('text,cat\n"say ""x""",x\n"c\nd, e",y\n', ['say "x"', "c\nd, e"]),
    ],
)
def test_the_rows_tell_what_quotation_marks_mean(put, content, expected):
    assert [row[0] for row in values_of(put("a.csv", content))] == expected


def test_a_row_that_can_be_read_in_two_ways_stops_with_its_line(put):
    path = put("a.csv", f'text,cat\nx,1\n"{CANARY}, a\nb",c\n')
    said = refusal_of(path)
    assert said.startswith(", line 3: the quotation mark that opens a field here is closed in line")
    assert "--quoting none" in said
    assert CANARY not in said
    assert values_of(path, quoting="double") == [("x", "1"), (f"{CANARY}, a\nb", "c")]
    assert values_of(path, quoting="none")[1:] == [(f'"{CANARY}', " a"), ('b"', "c")]
    assert ", line 2: the quotation mark" in refusal_of(
        put("c.tsv", 'text\tcat\n"open\ta\nmiddle\tb\nclose"\ta\n')
    )
    late = "text\tcat\n" + "x\ty\n" * 5_000 + '"open\ta\nmiddle\tb\nclose"\ta\n'
    assert ", line 5002: the quotation mark" in refusal_of(put("b.tsv", late))


def test_a_quoted_row_after_unquoted_ones_stops_with_its_line(put):
    content = "text\tcat\n" + '"good" film\ta\n' * 5_000 + '"a\tb"\tc\n'
    said = refusal_of(put("a.tsv", content))
    assert said.startswith(", line 5002: quotation marks enclose a field here")
    assert "--quoting double" in said


def test_backslashes_before_quotation_marks_are_read_on_request(put):
    path = put("a.csv", 'text,cat\n"say \\"x\\", twice",1\n')
    assert values_of(path, quoting="backslash") == [('say "x", twice', "1")]
    with pytest.raises(ConfigurationError, match="known are auto, double, backslash, none"):
        Rows(path, "csv", quoting="single")


def test_an_open_quotation_mark_spoils_its_own_line(put):
    """The lines below are rows, up to the end of the file."""
    good = 'text,cat\n"a, b",1\n'
    path = put("a.csv", f'{good}"open,2\nc,3\n"d, e",4\n')
    found = read_all(path)
    # the mark is closed by the next one, so two lines are told
    assert [row.place for row in found if row.fault] == ["line 3"]
    assert "the lines 3 to 5 were read as one row" in found[1].fault
    path = put("b.csv", f'{good}"open,2\nc,3\nd,4\n')
    found = read_all(path)
    assert [(row.place, bool(row.fault)) for row in found] == [
        ("line 2", False),
        ("line 3", True),
        ("line 4", False),
        ("line 5", False),
    ]


def test_many_open_quotation_marks_take_linear_time(put, monkeypatch):
    monkeypatch.setattr(lines, "MAX_ROW", 2_000)
    content = 'text,cat\n"a, b",1\n' + ('"open,2\n' + "c,3\n" * 800) * 20
    found = read_all(put("a.csv", content))
    assert sum(not row.fault for row in found) > 14_000


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_every_end_of_line_ends_a_row(put, end, encoding):
    text = end.join(["text,cat", "caf\u00e9,1", '"a\rb\nc",2', '"d\r\ne",3', ""])
    expected = [("caf\u00e9", "1"), ("a\rb\nc", "2"), ("d\r\ne", "3")]
    assert values_of(put("a.csv", text.encode(encoding)), encoding=encoding) == expected
    objects = end.join(json.dumps({"text": text}) for text in ("a\rb", "c"))
    assert values_of(put("a.jsonl", objects.encode(encoding))) == [("a\rb",), ("c",)]


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [("sep=;", ";"), ('"sep=;"', ";"), ("SEP=,", ","), ("sep=^", "^"), ("sep=\t", "\t")],
)
@pytest.mark.parametrize("mark", ["", "\N{BOM}"])
def test_a_line_that_names_the_delimiter_is_no_row(put, line, delimiter, mark):
    content = f"{mark}{line}\r\ntext{delimiter}cat\r\na,b{delimiter}x\r\n".replace(",b", "")
    path = put("a.csv", content)
    assert values_of(path) == [("a", "x")]
    assert read_all(path)[0].place == "line 3"


@pytest.mark.parametrize(
    "content",
    [
        '[{"text": "a", "cat": 1}, {"text": "b", "cat": 2}]',
        '[\n  {\n    "text": "a",\n    "cat": 1\n  },\n  {"text": "b", "cat": 2}\n]\n',
        '{\n  "text": "a",\n  "cat": 1\n}\n{\n  "text": "b",\n  "cat": 2\n}\n',
        '\n\n{"text": "a", "cat": 1}\r\n\r\n{"text": "b", "cat": 2}',
        '[{"text": "a", "cat": 1},\r{"text": "b", "cat": 2}]',
    ],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt"])
def test_json_is_read_in_every_layout(put, content, name):
    path = put(name, content)
    assert values_of(path) == [("a", 1), ("b", 2)]
    assert values_of(path, columns=("cat",)) == [(1,), (2,)]


def test_an_array_of_any_size_is_read_piece_by_piece(put, monkeypatch):
    texts = [f"{number} {'x' * (number % 97)}\u00e9\\" for number in range(3_000)]
    objects = [{"text": text, "more": [1, {"a": None}]} for text in texts]
    for indent in (None, 1):
        path = put("a.json", json.dumps(objects, indent=indent, ensure_ascii=False))
        assert [row.values["text"] for row in read_all(path)] == texts
    long = put("b.json", json.dumps([{"text": "x" * 300_000}, {"text": "b"}]))
    assert [len(row.values["text"]) for row in read_all(long)] == [300_000, 1]
    monkeypatch.setattr(lines, "MAX_ROW", 200_000)
    assert ", line 1: more than" in refusal_of(long)


@pytest.mark.parametrize("layout", ["array", "lines", "objects", "csv"])
def test_a_file_larger_than_memory_is_read_with_little(put, layout):
    """Twenty megabytes of text, in gzip."""
    row = {"text": "x" * 10_000, "cat": "a"}
    one = json.dumps(row, indent=1 if layout == "objects" else None)
    start, end = {"array": ("[", ",\n"), "csv": ("text,cat\n", "\n")}.get(layout, ("", "\n"))
    one = ",".join(row.values()) if layout == "csv" else one
    content = start + one + (end + one) * 1_999 + ("]" if layout == "array" else "\n")
    path = put("a.csv" if layout == "csv" else "a.json", gzip.compress(content.encode(), 1))
    tracemalloc.start()
    try:
        with closing(Rows(path, require_format(path))) as rows:
            count = sum(not row.fault for row in rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 2_000
    assert peak < 12 * 2**20


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('[{"text": "a"}, {"text": ', "line 1: not JSON"),
        ('[{"text": "a"}', "line 1: the array does not end; the file is cut short"),
        ('[\n{"text": "a"}\n{"text": "b"}]', "line 3: not JSON (no comma between two values)"),
        ('[{"text": "a"},\n]', "line 2: not JSON (a comma before the end of the array)"),
        ('[\n{"text": "a"}]\n{"text": "b"}', "line 3: the file goes on after its array"),
        ('[{"text": "a"},\n' + "[" * 100_000, "line 2: not JSON"),
        ('{\n "text": "a"\n}\n{\n "text": b\n}', "line 4: not JSON"),
    ],
)
def test_a_damaged_array_is_refused_with_its_line(put, content, told):
    assert told in refusal_of(put("a.json", content))


def test_values_that_are_no_objects_are_faults(put):
    path = put("a.json", '[{"text": "a"}, 7, "zanzibar", [1], null, {"text": "b"}]')
    found = read_all(path)
    assert [row.values.get("text") for row in found] == ["a", None, None, None, None, "b"]
    assert [row.fault.partition(",")[0] for row in found[1:5]] == [
        "a int",
        "a str",
        "a list",
        "a NoneType",
    ]
    lists = put("b.jsonl", '["a", 1]\n{"text": "b"}\n')
    assert [bool(row.fault) for row in read_all(lists)] == [True, False]


def test_lines_of_fasttext_have_labels_and_a_text(put):
    content = (
        "__label__good Fine film , really\n__label__a __label__b both\n"
        "inside __label__c word\n\nnone\n__label__d\n"
    )
    for name in ("a.txt", "a.train", "a.csv", "a.txt.gz"):
        data = content.encode()
        path = put(name, gzip.compress(data) if name.endswith("gz") else data)
        assert [row.values for row in read_all(path)] == [
            {"text": "Fine film , really", "label": "good"},
            {"text": "both", "label": ["a", "b"]},
            {"text": "inside word", "label": "c"},
            {"text": "none", "label": None},
            {"text": "", "label": "d"},
        ]
    assert "no column 'review'; columns: 'text', 'label'" in refusal_of(
        put("a.txt", content), columns=("review",)
    )


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("named", [True, False])
def test_compression_is_told_by_content(put, packing, named):
    rows = [("caf\u00e9", "1"), ("b", "2")]
    content = "text,cat\ncaf\u00e9,1\nb,2\n".encode()
    path = put("a.csv" + packing * named, PACKERS[packing](content))
    assert values_of(path) == rows
    objects = PACKERS[packing](b'{"text": "a"}\n') if packing != ".zip" else None
    if objects is not None:
        assert values_of(put("a.jsonl" + packing * named, objects)) == [("a",)]


def test_a_plain_file_may_be_called_compressed(put):
    for ending in (".gz", ".xz", ".zst", ".zip", ".bz2"):
        assert values_of(put(f"a.csv{ending}", "text,cat\na,1\n")) == [("a", "1")]


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_file_that_is_cut_short_is_refused(put, packing, kept):
    content = b"text,cat\n" + b"".join(b"%d %d,1\n" % (n, n * n) for n in range(200_000))
    packed = PACKERS[packing](content)
    path = put(f"a.csv{packing}", packed[: int(len(packed) * kept)])
    assert "the compressed file is damaged or cut short" in refusal_of(path)


def test_members_that_follow_each_other_are_one_file(put):
    first, second = b"text,cat\na,1\n", b"b,2\n"
    for packing in (".gz", ".bz2", ".xz", ".zst"):
        packed = PACKERS[packing](first) + PACKERS[packing](second)
        assert values_of(put(f"a.csv{packing}", packed)) == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"7z\xbc\xaf\x27\x1c" + b"\0" * 99, "is a 7-Zip archive; unpack it"),
        ("a.csv", b"ARROW1\0\0" + b"\0" * 99, "is a file of Arrow; save it as Parquet"),
        ("a.csv", pack_zip(b"<x/>", "content.xml"), "is an OpenDocument file; save it as .xlsx"),
        ("a.csv", pack_zip(b"x", "xl/workbook.bin"), "is a binary workbook; save it as .xlsx"),
        ("a.csv", b"Rar!\x1a\x07\0" + b"\0" * 99, "is a RAR archive; unpack it"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "save it as .xlsx"),
        ("a.csv.zip", b"PK\x05\x06" + b"\0" * 18, "is an empty ZIP archive"),
        ("a.csv.zip", CUT_ZIP, "the ZIP archive is damaged or cut short"),
        ("a.csv.gz", TAR, "is a tar archive"),
    ],
)
def test_an_archive_is_refused_with_a_remedy(put, name, content, told):
    path = put(name, content)
    with pytest.raises(ConfigurationError) as caught, closing(Rows(path, "csv")) as rows:
        list(rows)
    assert told in str(caught.value)


def test_a_zip_archive_has_one_table(put, tmp_path):
    import zipfile

    path = put("a.zip", pack_zip(b"text\tcat\na\t1\n", "folder/b.tsv"))
    assert require_format(path) == "tsv"
    assert values_of(path) == [("a", "1")]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._b.tsv", "x")
        archive.writestr("folder/.DS_Store", "x")
    assert values_of(path) == [("a", "1")]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("c.tsv", "text\n")
    with pytest.raises(ConfigurationError, match="has 2 files, not one; unpack it"):
        list(Rows(path, "tsv"))


GOOD = "".join(f"caf\u00e9 {number},x\n" for number in range(30))


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_lines_of_another_encoding_keep_the_good_ones(put, packing):
    content = b"text,cat\n" + GOOD.encode() + b"zanzibar caf\xe9,7\nlast,8\n"
    path = put("a.csv" + packing, PACKERS[packing](content))
    found = read_all(path)
    assert len(found) == 32
    (fault,) = [row for row in found if row.fault]
    assert fault.place == "line 32"
    assert fault.fault.startswith("the byte 0xe9 is not UTF-8; ")
    assert "--encoding utf-8,cp1252" in fault.fault
    assert fault.values == {"cat": "7"}
    assert found[-1].values == {"text": "last", "cat": "8"}
    # the remedy reads all rows right
    both = values_of(path, encoding="utf-8,cp1252")
    assert both[0] == ("caf\u00e9 0", "x")
    assert both[30] == ("zanzibar caf\u00e9", "7")


def test_every_text_format_reads_two_encodings(put):
    lines = [b'{"text": "caf\xe9", "cat": 7}', '{"text": "caf\u00e9", "cat": 8}'.encode()]
    for content in (b"\n".join(lines), b"[" + b",\n".join(lines) + b"]"):
        path = put("a.jsonl", content)
        found = read_all(path, encoding="utf-8")
        assert [row.values for row in found] == [{"cat": 7}, {"text": "caf\u00e9", "cat": 8}]
        assert "0xe9" in found[0].fault
        expected = [("caf\u00e9", 7), ("caf\u00e9", 8)]
        assert values_of(path, encoding="utf-8,cp1252") == expected
    path = put("a.txt", b"__label__a caf\xe9\n__label__b caf\xc3\xa9\n")
    assert list(faults_of(path, encoding="utf-8")) == ["line 1"]
    assert values_of(path, encoding="utf-8,cp1252") == [("caf\u00e9", "a"), ("caf\u00e9", "b")]


def test_a_header_in_another_encoding_is_refused(put):
    path = put("a.csv", b"caf\xe9,text\n" + b"\xc3\xa9,x\n" * 20)
    assert ", line 1: the byte 0xe9 is not UTF-8" in refusal_of(path, encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", ": the file is empty"),
        ("\n\n", ": the file is empty"),
        ("\N{BOM}", ": the file is empty"),
    ],
)
def test_a_file_without_a_header_is_empty(put, content, told):
    for name in ("a.csv", "a.tsv", "a.csv.gz"):
        data = content.encode()
        path = put(name, gzip.compress(data) if name.endswith("gz") else data)
        assert refusal_of(path) == told


def test_columns_are_known_without_rows(put, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(
        pyarrow.table({"text": pyarrow.array([], "string"), "cat": pyarrow.array([], "string")}),
        tmp_path / "a.parquet",
    )
    put("a.csv", "text,cat\n")
    put("b.tsv", "\n\ntext\tcat\r\n\r\n")
    put("a.xlsx", write_workbook([["text", "cat"]]))
    for name in ("a.csv", "b.tsv", "a.parquet", "a.xlsx"):
        path = tmp_path / name
        with closing(Rows(path, require_format(path))) as rows:
            assert rows.columns == ("text", "cat")
            rows.require_column("text", option="--text-column")
            with pytest.raises(ConfigurationError, match=r"'review'; .*columns: 'text', 'cat'"):
                rows.require_column("review", option="--text-column")
            assert list(rows) == []


def test_columns_are_known_before_the_rows_are_read(put):
    for name, content in (("a.csv", "text,cat\na,1\n"), ("a.jsonl", '{"text": "a", "cat": "1"}')):
        path = put(name, content)
        with closing(Rows(path, require_format(path))) as rows:
            assert rows.columns == ("text", "cat")
            assert [row.values for row in rows] == [{"text": "a", "cat": "1"}]


HEADERLESS = [
    f"{CANARY} is a place,pos\nother,neg\nthird,pos\n",
    f"{CANARY},pos\nother,neg\nthird,pos\n",
    f"{CANARY}\nother\n",
    f"1\t{CANARY}\n2\tother\n",
    f"{CANARY}.,5\nother,4\n",
    f'"{CANARY}, and more",x\nother,y\n',
    f"{CANARY},{CANARY}\na,b\n",
    f"{'x' * 50}{CANARY},a\nb,c\n",
]


@pytest.mark.parametrize("content", HEADERLESS)
@pytest.mark.parametrize("columns", [("text",), ("text", "label"), None])
def test_the_first_text_of_a_headerless_file_is_not_told(put, content, columns):
    for name in ("a.csv", "a.tsv", "a.csv.gz"):
        data = content.encode()
        path = put(name, gzip.compress(data) if name.endswith("gz") else data)
        with closing(Rows(path, require_format(path), columns=columns)) as rows:
            with pytest.raises(ConfigurationError) as caught:  # noqa: PT012
                list(rows)
                rows.require_column("text", option="--text-column")
            said = str(caught.value)
            assert CANARY not in said
            assert "must be the names of the columns" in said or "have the same name" in said


def test_names_of_columns_are_told_if_they_are_names(put):
    path = put("a.csv", "review,stars,Long name\na,1,x\n")
    assert "no column 'text'; the first line must be the names" in refusal_of(
        path, columns=("text",)
    )
    path = put("a.csv", "review,stars\na,1\n")
    assert "no column 'text'; columns: 'review', 'stars'" in refusal_of(path, columns=("text",))
    path = put("a.jsonl", '{"review": "a", "a long name of a column": 1, "3": 2}')
    told = "no column 'text'; columns: 'review' and 2 others"
    assert told in refusal_of(path, columns=("text",))


FAULTY = {
    "a.csv": f'text,cat\n{CANARY},1,2\n"{CANARY}, b",1\n"{CANARY}" x,1\n"{CANARY},\n{CANARY}',
    "b.csv": f"text,cat\n{CANARY},1\n{CANARY}\r{CANARY},1\n".encode() + b"zanzibar \xe9\n",
    "c.tsv": f'text\tcat\n"{CANARY}\t1\nx\t2\t3\n{CANARY}"\t3\n',
    "a.jsonl": f'{{"text": "{CANARY}"}}\n{{"text": "{CANARY}\n["{CANARY}"]\n"{CANARY}"\n',
    "b.jsonl": b'{"text": "zanzibar \xe9"}\n{zanzibar: 1}\n{"zanzibar": 1',
    "a.json": f'[{{"text": "{CANARY}"}}, "{CANARY}", {{"{CANARY} a": 1}}, {CANARY}]',
    "b.json": f'[{{"text": "{CANARY}"}} {{"text": "{CANARY}"}}]',
    "a.txt": f"__label__a {CANARY}\n__label__b {CANARY} ".encode() + b"\xe9\n",
    "a.parquet": f"PAR1{CANARY}PAR1",
    "a.xlsx": write_workbook([["text", "cat"], [CANARY, "1"], ["a", "b", CANARY]]),
    "b.xlsx": write_workbook([[CANARY], ["a"]], [[CANARY], ["b"]]),
    "c.xlsx": write_workbook([[CANARY, "x y"], ["a"]]),
    "a.csv.gz": gzip.compress(f"text,cat\n{CANARY},1\n".encode() * 999)[:-20],
}


@pytest.mark.parametrize("name", FAULTY)
@pytest.mark.parametrize("columns", [None, ("text",), ("text", "cat"), ("zanzibar",)])
@pytest.mark.parametrize("encoding", ["auto", "ascii", "utf-16"])
def test_no_message_has_a_text(put, name, columns, encoding):
    path = put(name, FAULTY[name])
    told = []
    try:
        with closing(Rows(path, require_format(path), columns=columns, encoding=encoding)) as rows:
            told += [row.place + row.fault for row in rows]
    except ConfigurationError as error:
        # a column that the user named
        told.append(str(error).replace("no column 'zanzibar'", ""))
    assert told
    assert CANARY not in " ".join(told)


@pytest.mark.parametrize(
    ("name", "content", "plain"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text": "b"}\n', True),
        ("a.jsonl", '\N{BOM}{"text": "a"}\n', True),
        ("a.jsonl", '[{"text": "a"}]', False),
        ("a.jsonl", '{\n"text": "a"\n}\n', False),
        ("a.jsonl", '{"text": "a"}\r{"text": "b"}\r', False),
        ("a.jsonl", PACKED_LINE, False),
        ("a.csv", "text\na\n", False),
    ],
)
def test_only_plain_lines_are_read_in_place(put, name, content, plain):
    assert has_plain_lines(put(name, content)) == plain
