"""Arrow values as CSV, TSV and JSON Lines can hold them.

Numbers, booleans and texts stay. Dates and times become text in the form of ISO 8601, with all
their digits; a time with a time zone is given in UTC. Decimals become text, with all their digits.
A dictionary becomes its values, a struct an object, a list and a map an array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from valence.service.files.parquet import import_pyarrow

if TYPE_CHECKING:
    import pyarrow


def find_obstacle(kind: pyarrow.DataType) -> str:
    """What keeps values of this type from being written as text; empty if nothing does."""
    types = import_pyarrow().types
    if isinstance(kind, import_pyarrow().BaseExtensionType):
        return find_obstacle(kind.storage_type)
    if types.is_dictionary(kind):
        return find_obstacle(kind.value_type)
    if _is_list(kind):
        return find_obstacle(kind.value_type)
    if types.is_map(kind):
        return find_obstacle(kind.key_type) or find_obstacle(kind.item_type)
    if types.is_struct(kind):
        return next(filter(None, (find_obstacle(field.type) for field in kind.fields)), "")
    plain = (
        types.is_null(kind)
        or types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_date(kind)
        or types.is_time(kind)
        or types.is_timestamp(kind)
        or _is_string(kind)
    )
    return "" if plain else f"values of the type {kind}"


def to_plain(array: pyarrow.Array) -> list[Any]:
    """The values of an array without :func:`find_obstacle`, as JSON has them."""
    return _simplify(array).to_pylist()  # type: ignore[no-any-return]


def _simplify(array: pyarrow.Array) -> pyarrow.Array:
    arrow = import_pyarrow()
    types, kind = arrow.types, array.type
    if isinstance(kind, arrow.BaseExtensionType):
        return _simplify(array.storage)
    if types.is_dictionary(kind):
        return _simplify(array.dictionary_decode())
    if types.is_struct(kind):
        fields = [_simplify(field) for field in array.flatten()]
        names = [field.name for field in kind.fields]
        return arrow.StructArray.from_arrays(fields, names=names, mask=array.is_null())
    if _is_list(kind) or types.is_map(kind):
        return _simplify_lists(array)
    if types.is_timestamp(kind):
        array = _format_timestamps(array)
    elif types.is_decimal(kind) or types.is_date(kind) or types.is_time(kind):
        array = array.cast(arrow.string())
    return array


def _simplify_lists(array: pyarrow.Array) -> pyarrow.Array:
    """A list of simple values, or of pairs of them for a map."""
    arrow = import_pyarrow()
    if arrow.types.is_map(array.type):
        pairs = arrow.StructArray.from_arrays(
            [_simplify(array.keys), _simplify(array.items)], names=["key", "value"]
        )
        counts = arrow.compute.fill_null(_count_pairs(array), 0)
    else:
        pairs = _simplify(array.flatten())
        counts = arrow.compute.fill_null(arrow.compute.list_value_length(array), 0)
    ends = arrow.compute.cumulative_sum(counts.cast(arrow.int64()))
    offsets = arrow.concat_arrays([arrow.array([0], arrow.int64()), ends])
    return arrow.LargeListArray.from_arrays(offsets, pairs, mask=array.is_null())


def _count_pairs(array: pyarrow.Array) -> pyarrow.Array:
    arrow = import_pyarrow()
    counts = [None if value is None else len(value) for value in array.to_pylist()]
    return arrow.array(counts, arrow.int64())


def _format_timestamps(array: pyarrow.Array) -> pyarrow.Array:
    arrow = import_pyarrow()
    compute = arrow.compute
    zone = array.type.tz
    # the instants in UTC: to format local times, Arrow needs a data base of time zones
    instants = array.cast(arrow.int64()).cast(arrow.timestamp(array.type.unit))
    text = compute.replace_substring(instants.cast(arrow.string()), " ", "T")
    return compute.binary_join_element_wise(text, "Z", "") if zone else text


def _is_string(kind: pyarrow.DataType) -> bool:
    types = import_pyarrow().types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_list(kind: pyarrow.DataType) -> bool:
    types = import_pyarrow().types
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )
