"""Features of a text that a unit may follow: a number for each character."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from valence.training.char_lm import source_code
from valence.training.char_lm.documents import GAP, Document

Values = NDArray[np.float64]

# strings and comments of Python: a quote within a comment, or a # within a string, means nothing
_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<docstring>\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3})
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.VERBOSE | re.DOTALL,
)
# in prose, a quote that opens follows a space, a dash or a bracket
_BEFORE_OPENING = frozenset(" \n([-/")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_PARAGRAPH = re.compile(r"\n\s*\n")


def compute_features(documents: Sequence[Document]) -> dict[str, Values]:
    """The value, in [0, 1], of each feature at each character of the joined ``documents``.

    The value at a character describes the text up to and with this character: an opening quote is
    within its quotes, a closing quote is not.
    """
    features = {
        name: np.concatenate(
            [part for document in documents for part in (measure(document), np.zeros(len(GAP)))]
        )[: -len(GAP)]
        for name, measure in _FEATURES.items()
    }
    for name in _SCALED:
        features[name] /= max(1.0, float(features[name].max()))
    for label in sorted({document.label for document in documents if document.label is not None}):
        features[f"label {label}"] = _measure_label(documents, label)
    return features


def _is_code(document: Document) -> bool:
    return document.label == source_code.LABEL


def _mark_tokens(text: str, kind: str) -> Values:
    """1 from the start of each token of ``kind`` to the character before its last."""
    values = np.zeros(len(text))
    for match in _TOKEN.finditer(text):
        if match.lastgroup == kind:
            values[match.start() : match.end() - (kind != "comment")] = 1.0
    return values


def _measure_quotes(document: Document) -> Values:
    """1 within the quotes of a string or of a quotation; a docstring is no string.

    A quotation without an end stops at the end of its paragraph.
    """
    text = document.text
    if _is_code(document):
        return _mark_tokens(text, "string")
    values = np.zeros(len(text))
    ends = {match.start() for match in _PARAGRAPH.finditer(text)}
    inside, before = False, "\n"
    for index, character in enumerate(text):
        if index in ends:
            inside = False
        elif character == "\N{LEFT DOUBLE QUOTATION MARK}":
            inside = True
        elif character == "\N{RIGHT DOUBLE QUOTATION MARK}":
            inside = False
        elif character == '"':
            inside = before in _BEFORE_OPENING
        values[index] = inside
        before = character
    return values


def _measure_token(kind: str) -> Callable[[Document], Values]:
    def measure(document: Document) -> Values:
        if _is_code(document):
            return _mark_tokens(document.text, kind)
        return np.zeros(len(document.text))

    return measure


def _measure_depth(document: Document) -> Values:
    """The number of open brackets. In code, brackets of strings and comments do not count.

    In prose, a bracket without an end stops at the end of its paragraph.
    """
    text = document.text
    skipped = np.zeros(len(text), dtype=bool)
    ends: set[int] = set()
    if _is_code(document):
        for match in _TOKEN.finditer(text):
            skipped[match.start() : match.end()] = True
    else:
        ends = {match.start() for match in _PARAGRAPH.finditer(text)}
    depth = 0
    values = np.zeros(len(text))
    for index, character in enumerate(text):
        if index in ends:
            depth = 0
        elif not skipped[index]:
            if character in _OPENING:
                depth += 1
            elif character in _CLOSING and depth:
                depth -= 1
        values[index] = depth
    return values


def _measure_brackets(document: Document) -> Values:
    return (_measure_depth(document) > 0).astype(np.float64)


def _measure_line_position(document: Document) -> Values:
    """Characters since the start of the line; 0 for the line break itself."""
    breaks = np.array([character == "\n" for character in document.text], dtype=bool)
    indices = np.arange(1, len(breaks) + 1)
    starts = np.maximum.accumulate(np.where(breaks, indices, 0)) if len(breaks) else indices
    return (indices - starts).astype(np.float64)


def _measure_indentation(document: Document) -> Values:
    """Spaces at the start of the line, up to the character."""
    values = np.zeros(len(document.text))
    spaces, leading = 0, True
    for index, character in enumerate(document.text):
        if character == "\n":
            spaces, leading = 0, True
        elif leading and character == " ":
            spaces += 1
        else:
            leading = False
        values[index] = spaces
    return values


def _measure_word_position(document: Document) -> Values:
    """Letters since the start of the word, at most twelve, divided by twelve."""
    values = np.zeros(len(document.text))
    run = 0
    for index, character in enumerate(document.text):
        run = run + 1 if character.isalpha() else 0
        values[index] = min(run, 12) / 12
    return values


def _measure_characters(test: Callable[[str], bool]) -> Callable[[Document], Values]:
    return lambda document: np.array([float(test(character)) for character in document.text])


_FEATURES: dict[str, Callable[[Document], Values]] = {
    "within quotes": _measure_quotes,
    "within brackets": _measure_brackets,
    "bracket depth": _measure_depth,
    "within a comment": _measure_token("comment"),
    "within a docstring": _measure_token("docstring"),
    "indentation": _measure_indentation,
    "place in the line": _measure_line_position,
    "place in the word": _measure_word_position,
    "digit": _measure_characters(str.isdigit),
    "capital letter": _measure_characters(str.isupper),
    "space": _measure_characters(str.isspace),
}
# divided by the largest value of the whole text
_SCALED = ("bracket depth", "indentation", "place in the line")


def _measure_label(documents: Sequence[Document], label: str) -> Values:
    """1 within a document of ``label``. The gap after a document belongs to the document."""
    parts = [
        np.full(len(document.text) + len(GAP), float(document.label == label))
        for document in documents
    ]
    return np.concatenate(parts)[: -len(GAP)]
