"""Scores of Arrow arrays of texts: an array in, a column for each of the scores out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from valence.service.files import missing_values
from valence.service.files.fault import DAMAGE, Fault
from valence.service.files.parquet import import_pyarrow
from valence.service.score.texts import Scores, TextScorer

if TYPE_CHECKING:
    import pyarrow

_NOT_UTF8 = Fault("the bytes of the text are not UTF-8", DAMAGE)


def holds_texts(kind: pyarrow.DataType) -> bool:
    """Whether an array of this type holds texts: strings, bytes of UTF-8, or nulls alone."""
    types = import_pyarrow().types
    if types.is_dictionary(kind):
        return holds_texts(kind.value_type)
    return holds_bytes(kind) or bool(types.is_null(kind))


def holds_bytes(kind: pyarrow.DataType) -> bool:
    """Whether each value of an array of this type is a text or bytes."""
    types = import_pyarrow().types
    return any(
        test(kind)
        for test in (
            *(types.is_string, types.is_large_string, types.is_string_view),
            *(types.is_binary, types.is_large_binary, types.is_binary_view),
        )
    )


def read_texts(array: pyarrow.Array) -> list[str | Fault]:
    """The texts of an array of a type that :func:`holds_texts`; a null is an empty text."""
    arrow = import_pyarrow()
    if arrow.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    try:
        values = array.to_pylist()
    except UnicodeDecodeError:
        values = array.cast(arrow.large_binary()).to_pylist()
    texts = map(missing_values.read_text, values)
    return [_NOT_UTF8 if text is None else text for text in texts]


def score_array(array: pyarrow.Array, scorer: TextScorer) -> pyarrow.RecordBatch:
    """The scores of the texts of ``array``, with the columns of :func:`make_schema`."""
    schema = make_schema(scorer)
    columns = make_columns(scorer.score(read_texts(array)), schema)
    return import_pyarrow().RecordBatch.from_arrays(columns, schema=schema)


def make_columns(scores: Scores, fields: Iterable[pyarrow.Field]) -> list[pyarrow.Array]:
    """The scores as an array for each of ``fields``."""
    arrow = import_pyarrow()
    return [
        arrow.array([row[index] for row in scores], field.type)
        for index, field in enumerate(fields)
    ]


def make_schema(scorer: TextScorer) -> pyarrow.Schema:
    """The columns of the scores with their Arrow types."""
    arrow = import_pyarrow()
    kinds = {str: arrow.string(), float: arrow.float64(), int: arrow.int64(), bool: arrow.bool_()}
    return arrow.schema([(name, kinds[kind]) for name, kind in scorer.types.items()])
