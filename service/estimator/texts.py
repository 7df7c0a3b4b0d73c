"""Texts from what Python programs hold texts in: lists, NumPy, pandas, Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from valence.service.errors import InvalidTexts
from valence.service.files.missing_values import is_missing

Texts: TypeAlias = Iterable[str] | Any
"""A list or another iterable of ``str``, a NumPy array, a pandas or Polars series, an Arrow array.

NumPy, pandas and Arrow publish no type that means "of texts", so the type is open.
"""

_ONE_COLUMN = "give one column of texts, such as frame['text']"


def list_texts(texts: Texts) -> list[str]:
    """The texts as a list; raises :class:`InvalidTexts` for anything that is not all texts.

    The message has the number of the row, and never a text.
    """
    return list(iter_texts(texts))


def iter_texts(texts: Texts) -> Iterator[str]:
    """The texts one by one, as they are asked for; raises as :func:`list_texts` does."""
    for number, row in enumerate(_find_rows(texts)):
        if not isinstance(row, str):
            raise refuse_row(number, _describe(row))
        yield row


def refuse_row(number: int, fault: str) -> InvalidTexts:
    """The error of one row, whose number counts from 0."""
    return InvalidTexts(f"row {number} (the first row is 0): {fault}")


def _find_rows(texts: Any) -> Iterable[Any]:
    """The rows as Python values: `to_pylist` is Arrow's, `tolist` that of NumPy and pandas."""
    if isinstance(texts, str | bytes):
        raise InvalidTexts(
            f"one {type(texts).__name__} is not a list of texts; put it into a list: [text]"
        )
    if isinstance(texts, Mapping | set | frozenset):
        raise InvalidTexts(
            f"a {type(texts).__name__} has no rows in order; give a list of texts instead"
        )
    # what holds one column has one dimension, or tells none
    shape = getattr(texts, "shape", (None,))
    if len(shape) != 1:
        raise InvalidTexts(f"the texts are a table of shape {tuple(shape)}; {_ONE_COLUMN}")
    for name in ("to_pylist", "tolist"):
        convert = getattr(texts, name, None)
        if convert is not None:
            return list(convert())
    if not isinstance(texts, Iterable):
        raise InvalidTexts(
            f"{type(texts).__name__} is not a list of texts; give a list, a series or an array"
        )
    return texts


def _describe(row: object) -> str:
    if is_missing(row) or type(row).__name__ in ("NAType", "NaTType"):
        return "the text is missing; leave the row out, or fill it: series.fillna('')"
    if isinstance(row, bytes):
        return "bytes, not a text; decode them"
    if isinstance(row, list | tuple | Mapping):
        return f"a {type(row).__name__}, not a text; {_ONE_COLUMN}"
    return f"a {type(row).__name__}, not a text; convert it by str, or leave the row out"
