"""Scores of Arrow arrays of texts: an array in, a column for each of the scores out.

:func:`score_array` is what every engine of data calls. :class:`ScorerRecipe` makes the scorer, once
in each process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from valence.service.errors import ConfigurationError
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


def read_texts(array: pyarrow.Array | pyarrow.ChunkedArray) -> list[str | Fault]:
    """The texts of an array of a type that :func:`holds_texts`; a null is an empty text."""
    arrow = import_pyarrow()
    if isinstance(array, arrow.ChunkedArray):
        return [text for chunk in array.chunks for text in read_texts(chunk)]
    if arrow.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    try:
        values = array.to_pylist()
    except UnicodeDecodeError:
        values = array.cast(arrow.large_binary()).to_pylist()
    texts = map(missing_values.read_text, values)
    return [_NOT_UTF8 if text is None else text for text in texts]


def score_array(
    array: pyarrow.Array | pyarrow.ChunkedArray, scorer: TextScorer
) -> pyarrow.RecordBatch:
    """The scores of the texts of ``array``, a row for each text in its order.

    The columns are those of :func:`make_schema`: the label, a probability for each label, what was
    read of the text, the reason for a label that is uncertain, and the error of a text without a
    score. A null is an empty text. ``array`` may hold strings, large strings, views of strings,
    bytes of UTF-8, dictionaries of them, or nulls alone, whole or in chunks. Each value of a
    dictionary is scored once. Raises :class:`ConfigurationError` for an array of another type.
    """
    arrow = import_pyarrow()
    if not holds_texts(array.type):
        raise ConfigurationError(
            f"an array of the type {array.type} has no texts; give strings, or bytes of UTF-8"
        )
    if arrow.types.is_dictionary(array.type):
        if isinstance(array, arrow.ChunkedArray):
            # each chunk may have a dictionary of its own
            array = array.unify_dictionaries().combine_chunks()
        return _score_dictionary(array, scorer)
    return score_texts(read_texts(array), scorer)


def score_texts(texts: Sequence[str | Fault], scorer: TextScorer) -> pyarrow.RecordBatch:
    """As :func:`score_array`, for texts of Python."""
    schema = make_schema(scorer)
    columns = make_columns(scorer.score(texts), schema)
    return import_pyarrow().RecordBatch.from_arrays(columns, schema=schema)


def _score_dictionary(array: pyarrow.DictionaryArray, scorer: TextScorer) -> pyarrow.RecordBatch:
    encoded = array.dictionary_decode().dictionary_encode(null_encoding="encode")
    scores = score_texts(read_texts(encoded.dictionary), scorer)
    return scores.take(encoded.indices)


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
