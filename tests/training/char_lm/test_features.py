from __future__ import annotations

import numpy as np
import pytest
from valence.training.char_lm import features, source_code
from valence.training.char_lm.documents import Document

CODE = '''def f(a):
    """One "line" # here."""
    return g("b # (", [a])  # c "d"
'''


def marked(name: str, text: str, label: str | None = None) -> str:
    """Return ``text`` with a dot for each character where the feature is 0."""
    values = features.compute_features([Document(text, label)])[name]
    assert len(values) == len(text)
    return "".join(
        character if value else "." for character, value in zip(text, values, strict=True)
    )


def test_features_have_the_expected_values() -> None:
    found = features.compute_features([Document('a "b" (c)\nD1', "news"), Document("e", "talk")])
    assert found["within quotes"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert found["within brackets"].tolist() == [0] * 6 + [1, 1] + [0] * 8
    assert found["digit"].tolist() == [0] * 11 + [1] + [0] * 4
    assert found["capital letter"].tolist() == [0] * 10 + [1] + [0] * 5
    assert found["label news"].tolist() == [1] * 15 + [0]
    assert found["label talk"].tolist() == [0] * 15 + [1]
    # the first line has nine characters, the second has two
    assert found["place in the line"] * 9 == pytest.approx(
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 0, 0, 0, 1]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a second opening quote opens no second quotation, and closes none
        ('"He. "So" a.', '"He. "So....'),
        ('a "b\nc" d', '.."b\nc...'),  # a quotation goes on in the next line
        ('"a\n\nb', '"a...'),  # and ends with its paragraph
        ('("a")', '."a..'),
        ("\N{LEFT DOUBLE QUOTATION MARK}a\N{RIGHT DOUBLE QUOTATION MARK}.", "\u201ca.."),
    ],
)
def test_quotations_of_prose(text: str, expected: str) -> None:
    assert marked("within quotes", text) == expected


def test_tokens_of_code() -> None:
    code = source_code.LABEL
    lines = {
        name: marked(name, CODE, code).split("\n" if name.startswith("ind") else "!")
        for name in ("within quotes", "within a comment", "within a docstring", "within brackets")
    }
    assert lines["within quotes"][0].strip(".") == '"b # ('
    assert lines["within a comment"][0].strip(".") == '# c "d"'
    assert lines["within a docstring"][0].strip(".") == '"""One "line" # here.""'
    # the bracket of the string does not count
    assert marked("within brackets", 'f("(")+1', code) == 'f("(")+1'.replace("f", ".").replace(
        ")+1", "..."
    )


def test_prose_has_neither_comments_nor_docstrings() -> None:
    found = features.compute_features([Document(CODE)])
    assert not found["within a comment"].any()
    assert not found["within a docstring"].any()


def test_depth_and_indentation_are_scaled_by_the_largest() -> None:
    found = features.compute_features([Document("f((a)\n  b)\n", source_code.LABEL)])
    assert found["bracket depth"] * 2 == pytest.approx([0, 1, 2, 2, 1, 1, 1, 1, 1, 0, 0])
    assert found["indentation"] * 2 == pytest.approx([0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 0])


def test_bracket_depth_starts_anew_with_each_document() -> None:
    found = features.compute_features([Document("((", source_code.LABEL), Document("a)b")])
    assert found["bracket depth"][2:].tolist() == [0.0] * 6
    assert np.isfinite(found["bracket depth"]).all()
