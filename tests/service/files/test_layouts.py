"""Files as programs and people make them: every row is read, or told with its place."""

from __future__ import annotations

import gzip
import io
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.service.files import formats
from valence.service.files.fault import ENDS, FIELDS, FORM, LENGTH
from valence.service.files.rows import Rows

BOTH = [("good, film", "a"), ("bad\nfilm", "b")]
PLAIN = [("good", "a"), ("bad", "b")]
CRLF = [("good, film", "a"), ("bad\r\nfilm", "b")]
SIGNS = [("go\x0bod", "a"), ("ba\x85\u2028d", "b")]
LONG = "x" * 4_500_000


def read_rows(tmp_path: Path, name: str, content: str | bytes) -> list[object]:
    """The values of each row, or the kind of its fault."""
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with closing(Rows(path, formats.require_format(path), columns=("text", "label"))) as rows:
        return [row.fault.kind or tuple(row.values.values()) for row in rows]


def zip_files(*members: tuple[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("mark.csv", '\ufeff"text","label"\r\n"good, film","a"\r\n"bad\r\nfilm","b"\r\n', CRLF),
        (
            "wide.csv",
            "text,label\ngood,a\nschön,b\n".encode("utf-16-le"),
            [PLAIN[0], ("schön", "b")],
        ),
        ("wide.tsv", "text\tlabel\ngood\ta\nbad\tb\n".encode("utf-16-be"), PLAIN),
        ("wide.txt.csv", 'text,label\r\n"good, film",a\r\n"bad\r\nfilm",b'.encode("utf-16"), CRLF),
        ("inner.csv", 'text,label\r\n"good, film",a\r\n"bad\nfilm",b\r\n', BOTH),
        ("ended.csv", "text,label,\ngood,a,\nbad,b,\n", PLAIN),
        ("nameless.csv", "text,label,,\ngood,a,,\nbad,b,,\n", PLAIN),
        ("ended-rows.csv", "text,label\ngood,a,\nbad,b,\n", [FIELDS, FIELDS]),
        ("index.csv", ",text,label\n0,good,a\n1,bad,b\n", PLAIN),
        ("blank.csv", "\n\ntext,label\n\ngood,a\n\n\nbad,b\n\n", PLAIN),
        ("spaces.csv", "text,label\ngood,a\n   \nbad,b\n", [PLAIN[0], FIELDS, PLAIN[1]]),
        ("unended.csv", "text,label\ngood,a\nbad,b", PLAIN),
        ("long.csv", f"text,label\ngood,a\n{LONG},x\nbad,b\n", [PLAIN[0], LENGTH, PLAIN[1]]),
        ("semicolon.csv", "text;label;price\ngood;a;1,5\nbad;b;2,5\n", PLAIN),
        ("bar.csv", "text|label\ngood|a\nbad|b\n", PLAIN),
        ("separators.csv", "text,label\ngo\x0bod,a\nba\x85\u2028d,b\n", SIGNS),
        ("end-of-file.csv", "text,label\ngood,a\nbad,b\n\x1a", [*PLAIN, FIELDS]),
        ("zeros.csv", b"text,label\ngood,a\nbad,b\n" + b"\0" * 99, [*PLAIN, FIELDS]),
        ("twice.csv", "text,label\r\r\ngood,a\r\r\nbad,b\r\r\n", [ENDS, ENDS]),
        ("space.csv", 'text,label\ngood, "a"\nbad, "b, c"\n', [("good", ' "a"'), FIELDS]),
        ("single.csv", "text,label\n'good, film',a\nbad,b\n", [FIELDS, PLAIN[1]]),
        ("open.csv", 'text,label\n"good,a\nbad,b\n', [('"good', "a"), PLAIN[1]]),
        ("curly.csv", "text,label\n“good”,a\n", [("“good”", "a")]),
        ("names.csv", "text,label\nNULL,a\nNaN,b\n", [("NULL", "a"), ("NaN", "b")]),
        ("mark.jsonl", '\ufeff{"text":"good","label":"a"}\n', PLAIN[:1]),
        ("blank.jsonl", '\n{"text":"good","label":"a"}\n\n{"text":"bad","label":"b"}', PLAIN),
        ("nested.jsonl", '{"text":{"a":[1]},"label":["b"]}\n', [({"a": [1]}, ["b"])]),
        ("commas.jsonl", '{"text":"good","label":"a"},\n', [FORM]),
        ("one.json", '{"text":"good","label":"a"}', PLAIN[:1]),
        ("strings.jsonl", '"good"\n["bad"]\n', [FORM, FORM]),
        (
            "members.csv.gz",
            gzip.compress(b"text,label\ngood,a\n", mtime=0) + gzip.compress(b"bad,b\n", mtime=0),
            PLAIN,
        ),
        ("padded.csv.gz", gzip.compress(b"text,label\ngood,a\n", mtime=0) + b"\0" * 50, PLAIN[:1]),
        ("plain.csv.gz", "text,label\ngood,a\n", PLAIN[:1]),
        (
            "one.zip",
            zip_files(("d/a.csv", "text,label\ngood,a\n"), ("__MACOSX/._a.csv", "x")),
            PLAIN[:1],
        ),
        (
            "latin.csv",
            "text,label\nschön,a\n".encode() + b"caf\xe9,b\n",
            [("schön", "a"), ("café", "b")],
        ),
    ],
)
def test_every_row_is_read_or_told(tmp_path, name, content, expected):
    found = read_rows(tmp_path, name, content)
    assert found == expected


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("case.csv", "Text,Label\ngood,a\n", "no column 'text'; did you mean 'Text'?"),
        ("spaces.csv", "text ,label\ngood,a\n", "no column 'text'; did you mean 'text '?"),
        ("twice.csv", "text,text\ngood,a\n", "the columns 1 and 2 have the same name, 'text'"),
        ("title.csv", "My report,,\n,,\ntext,label,x\n", "the first line must be the names"),
        ("comment.csv", "# made by a program\ntext,label\n", "the first line must be the names"),
        ("table.csv", "| text | label |\n|---|---|\n", "did you mean ' text '?"),
        ("object.json", '{"data":[{"text":"good"}]}', "no column 'text'; columns: 'data'"),
        ("empty.csv", "", "the file is empty"),
        ("mark.csv", "\ufeff", "the file is empty"),
        ("blank.csv", "\n\n", "the file is empty"),
        (
            "cut.csv.gz",
            gzip.compress(b"text,label\n" * 9_000, mtime=0)[:-30],
            "damaged or cut short",
        ),
        ("several.zip", zip_files(("a.csv", "text\n"), ("b.csv", "text\n")), "has 2 files"),
        ("page.csv", "<!DOCTYPE html><html></html>", "no column 'text'"),
        (
            "twice.csv.gz",
            gzip.compress(gzip.compress(b"text,label\n", mtime=0), mtime=0),
            "compressed twice",
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, content, told):
    with pytest.raises(ConfigurationError) as refused:
        read_rows(tmp_path, name, content)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("first", ["text,label,,", "My report,label,,"])
def test_columns_without_a_name_are_told_where_all_are_wanted(tmp_path, first):
    path = tmp_path / "a.csv"
    path.write_text(f"{first}\ngood,a,,\n")
    with (
        pytest.raises(ConfigurationError, match="the columns 3 and 4 have no name; name or remove"),
        closing(Rows(path, "csv")) as rows,
    ):
        list(rows)
