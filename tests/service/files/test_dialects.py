from __future__ import annotations

import pytest
from valence.service.files.dialects import detect_dialect


@pytest.mark.parametrize(
    ("content", "form", "columns", "delimiter"),
    [
        ("", "csv", (), ","),
        ("text\nHello, you\n", "csv", (), ","),
        ("text\nHello; you; there\n", "tsv", (), "\t"),
        ("text,label\na;b,c;d\ne;f,g;h\n", "csv", (), ","),
        ("text;label\nHello, you;1\nOh, no;2\n", "csv", (), ";"),
        ("text, all;label\nHello;1\nOh, no, no;2\n", "csv", (), ";"),
        ("text, all;label\n", "csv", ("label",), ";"),
        ('text|label\n"a|b\nc"|1\nx|2\n', "csv", (), "|"),
        ("text,label\nx,1\ny,2\n", "tsv", (), ","),
        # one of two rows is invalid: it is reported by its line, and the delimiter stays
        ("text,label\nx,1\ny,2,3\nz,1\nz,2\n", "csv", (), ","),
        ('text;label\nx;1\n"open;2\n', "csv", (), ";"),
    ],
)
def test_the_delimiter_is_the_one_that_forms_a_table(content, form, columns, delimiter):
    lines = content.splitlines(keepends=True)
    assert detect_dialect(lines, form, columns=columns).delimiter == delimiter
