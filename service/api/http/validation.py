"""JSON and query strings as pydantic models, and what was wrong with them without what they say."""

from __future__ import annotations

import json
import re
from typing import TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from valence.service.errors import InvalidRequest, MalformedBody

Model = TypeVar("Model", bound=BaseModel)

MOST_FAULTS = 20
_LONGEST_STEP = 64
_FIELD = re.compile(rb'"[ \t\r\n]*:')


def parse(model: type[Model], content: bytes) -> Model:
    """``content``, which is JSON, as ``model``.

    Raises :class:`MalformedBody` or :class:`InvalidRequest`.
    """
    try:
        # model_validate_json, less what it does for options that are not given
        parsed: Model = model.__pydantic_validator__.validate_json(content)
    except ValidationError as error:
        raise readable(error) from None
    _refuse_duplicates(content, len(parsed.model_fields_set))
    return parsed


def parse_query(model: type[Model], query: bytes) -> Model:
    """A query string as ``model``; raises :class:`InvalidRequest`."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in given:
            where = name[:_LONGEST_STEP]
            message = "given twice; give it once"
            raise InvalidRequest(f"{where}: {message}", ((where, message),))
        given[name] = value
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        raise readable(error) from None


def _refuse_duplicates(content: bytes, fields: int) -> None:
    """Raise :class:`InvalidRequest` if a field is given twice, of which only the last was read.

    ``content`` is JSON of which ``fields`` fields were read. With no more colons than that nothing
    was left out; and a field's colon follows a quote, which one in a text rarely does.
    """
    if content.count(b":") > fields and len(_FIELD.findall(content)) > fields:
        json.loads(content, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "an object has a field twice; give each field once"
        raise InvalidRequest(message, (("body", message),))
    return found


def readable(error: ValidationError) -> MalformedBody | InvalidRequest:
    """A validation error without its input, which is what a user wrote."""
    faults = error.errors(include_url=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return MalformedBody(f"{faults[0]['msg']}; send a JSON object in UTF-8")
    problems = tuple(
        (
            ".".join(str(step)[:_LONGEST_STEP] for step in fault["loc"]) or "body",
            "unknown field" if fault["type"] == "extra_forbidden" else fault["msg"],
        )
        for fault in faults[:MOST_FAULTS]
    )
    summary = "; ".join(f"{location}: {message}" for location, message in problems[:3])
    return InvalidRequest(summary, problems)
