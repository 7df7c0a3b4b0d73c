"""JSON and query strings as pydantic models, with errors that never repeat the input."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import pydantic_core
from pydantic import BaseModel, ValidationError
from valence.service.errors import InvalidRequest, MalformedBody

Model = TypeVar("Model", bound=BaseModel)

MAX_FAULTS = 20
UNKNOWN_FIELD = "unknown field"
_MAX_STEP_CHARACTERS = 64
_FIELD = re.compile(rb'"[ \t\r\n]*:')
# A comma follows each value and each field but the last ones, and most of them are strings.
_STRING_OR_COMMA = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|,', re.DOTALL)
# Strings and commas of a body. What lies between them may be a fault, and a fault takes some
# microseconds and a kilobyte.
MAX_ITEMS = 2_000
# Windows writes it before a text in UTF-8, and it belongs to no text.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse(model: type[Model], content: bytes, *, max_items: int = MAX_ITEMS) -> Model:
    """``content``, which is JSON, as ``model``.

    A byte order mark is left out, as RFC 8259 allows. The null of an optional field means that the
    field is absent: clients in typed languages write all fields. Raises :class:`MalformedBody` or
    :class:`InvalidRequest`, before any item is read if there are more than ``max_items``.
    """
    content = content.removeprefix(BYTE_ORDER_MARK)
    _require_few_items(content, max_items)
    try:
        # as model_validate_json, without its work for options that are not given
        parsed: Model = model.__pydantic_validator__.validate_json(content)
    except ValidationError as error:
        parsed = _parse_without_nulls(model, content, error)
    _refuse_duplicates(content, len(parsed.model_fields_set))
    return parsed


def _require_few_items(content: bytes, max_items: int) -> None:
    """Raise :class:`InvalidRequest` if the JSON ``content`` has too many strings and commas.

    Texts have commas too, so only a body with many commas is looked at more closely.
    """
    if content.count(b",") >= max_items // 2 and any(
        islice(_STRING_OR_COMMA.finditer(content), max_items, None)
    ):
        message = (
            f"more than {max_items} strings and commas between them, which no request within the "
            "limits has; send fewer texts per request"
        )
        raise InvalidRequest.for_field("body", message)


def _parse_without_nulls(model: type[Model], content: bytes, error: ValidationError) -> Model:
    """``content`` as ``model``, without the fields that are null and caused ``error``.

    Only a body that was refused pays for this second reading.
    """
    faults = error.errors(include_url=False, include_input=False)
    nulls = [
        fault["loc"]
        for fault in faults
        if fault["type"] not in ("extra_forbidden", "json_invalid", "missing")
    ]
    if not nulls:
        raise readable(error) from None
    fields = pydantic_core.from_json(content)
    removed = [location for location in nulls if _remove_null(fields, location)]
    if not removed:
        raise readable(error) from None
    try:
        parsed: Model = model.__pydantic_validator__.validate_json(pydantic_core.to_json(fields))
    except ValidationError as other:
        required = any(fault["type"] == "missing" for fault in other.errors(include_url=False))
        raise readable(error if required else other) from None
    return parsed


def _remove_null(value: Any, location: Sequence[int | str]) -> bool:
    """Remove the field at ``location`` of ``value`` if it is null; whether it was."""
    for step in location:
        if isinstance(value, dict) and step in value:
            if value[step] is None:
                del value[step]
                return True
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return False
    return False


def parse_query(model: type[Model], query: bytes) -> Model:
    """A query string as ``model``; raises :class:`InvalidRequest`."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in given:
            where = name[:_MAX_STEP_CHARACTERS]
            message = "given twice; give it once"
            raise InvalidRequest(f"{where}: {message}", ((where, message),))
        given[name] = value
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        raise readable(error) from None


def _refuse_duplicates(content: bytes, fields: int) -> None:
    """Raise :class:`InvalidRequest` if a field is given twice: the parser keeps only the last one.

    The parser read ``fields`` fields from the JSON ``content``. With that many colons no field is
    given twice. The colon of a field follows a quote; a colon in a text rarely does.
    """
    if content.count(b":") > fields and any(islice(_FIELD.finditer(content), fields, None)):
        json.loads(content, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        message = "an object has a field twice; give each field once"
        raise InvalidRequest(message, (("body", message),))
    return fields


def readable(error: ValidationError) -> MalformedBody | InvalidRequest:
    """A validation error without its input, which is the text of a user."""
    faults = error.errors(include_url=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return MalformedBody(f"{faults[0]['msg']}; send a JSON object in UTF-8")
    problems = tuple(
        (
            ".".join(str(step)[:_MAX_STEP_CHARACTERS] for step in fault["loc"]) or "body",
            UNKNOWN_FIELD if fault["type"] == "extra_forbidden" else fault["msg"],
        )
        for fault in faults[:MAX_FAULTS]
    )
    summary = "; ".join(f"{location}: {message}" for location, message in problems[:3])
    return InvalidRequest(summary, problems)
