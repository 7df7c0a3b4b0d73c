"""The parameters of requests, inputs and outputs: what each may be, and what is refused.

Clients of other servers send parameters for models of these servers. A parameter that changes
nothing here is taken. Any other one that this service does not know is refused, because its sender
expects another answer.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from valence.service.api.dialects.open_inference.schemas import Parameters
from valence.service.classifier.truncation import TRUNCATIONS, Truncation
from valence.service.errors import InvalidRequest

_MAX_NAME_CHARACTERS = 64
_CONTENT_TYPE = "content_type"
# The order of requests and the client's own patience do not change an answer.
_OF_REQUEST = ("binary_data_output", "truncation", _CONTENT_TYPE, "priority", "timeout")
_OF_INPUT = ("binary_data_size", _CONTENT_TYPE)
_OF_OUTPUT = ("binary_data", _CONTENT_TYPE)
_SEQUENCES = ("sequence_id", "sequence_start", "sequence_end")
# the content types of MLServer that name the form in which an output comes anyway
_OUTPUT_TYPES = {"label": ("str",), "probabilities": ("np",)}


class RequestParameters(NamedTuple):
    """The parameters of a request that have an effect."""

    truncation: Truncation
    binary_data_output: bool


def read_request(parameters: Parameters) -> RequestParameters:
    """The parameters of a request; raises :class:`InvalidRequest`."""
    field = "parameters"
    _require_known(parameters, _OF_REQUEST, field=field)
    _require_content_type(parameters, ("str",), field=field)
    return RequestParameters(
        _read_truncation(parameters),
        _read_flag(parameters, "binary_data_output", default=False, field=field),
    )


def is_base64(parameters: Parameters, *, field: str) -> bool:
    """Whether the elements of the input at ``field`` are base64; raises :class:`InvalidRequest`."""
    field = f"{field}.parameters"
    _refuse_shared_memory(parameters, field=field)
    _require_known(parameters, _OF_INPUT, field=field)
    _require_content_type(parameters, ("str", "base64"), field=field)
    return parameters.get(_CONTENT_TYPE) == "base64"


def is_binary(parameters: Parameters, *, output: str, default: bool, field: str) -> bool:
    """Whether ``output``, asked for at ``field``, is binary; raises :class:`InvalidRequest`."""
    field = f"{field}.parameters"
    if "classification" in parameters:
        raise InvalidRequest.for_field(
            f"{field}.classification",
            "not supported; ask for the outputs label and probabilities",
        )
    _refuse_shared_memory(parameters, field=field)
    _require_known(parameters, _OF_OUTPUT, field=field)
    _require_content_type(parameters, _OUTPUT_TYPES[output], field=field)
    return _read_flag(parameters, "binary_data", default=default, field=field)


def _read_flag(parameters: Parameters, name: str, *, default: bool, field: str) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InvalidRequest.for_field(f"{field}.{name}", "must be true or false")
    return value


def _read_truncation(parameters: Parameters) -> Truncation:
    value = parameters.get("truncation", "head")
    for truncation in TRUNCATIONS:
        if value == truncation:
            return truncation
    raise InvalidRequest.for_field(
        "parameters.truncation", f"must be one of {', '.join(TRUNCATIONS)}"
    )


def _refuse_shared_memory(parameters: Parameters, *, field: str) -> None:
    if any(name.startswith("shared_memory") for name in parameters):
        raise InvalidRequest.for_field(
            field, "shared memory is not supported; send the data in the request"
        )


def _require_known(parameters: Parameters, known: Container[str], *, field: str) -> None:
    for name in parameters:
        if name in _SEQUENCES:
            raise InvalidRequest.for_field(
                f"{field}.{name}",
                "these models keep nothing between requests; leave the sequence out",
            )
        if name not in known:
            raise InvalidRequest.for_field(
                f"{field}.{name[:_MAX_NAME_CHARACTERS]}",
                "not a parameter of this service, which would answer as if it were absent; leave "
                "it out",
            )


def _require_content_type(parameters: Parameters, allowed: tuple[str, ...], *, field: str) -> None:
    if parameters.get(_CONTENT_TYPE, allowed[0]) not in allowed:
        raise InvalidRequest.for_field(
            f"{field}.{_CONTENT_TYPE}",
            f"must be {' or '.join(allowed)} here, or be left out",
        )
