"""The OpenAPI 3.1 document, made from the route table: every route served is documented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import pydantic_core
from pydantic import BaseModel, JsonValue
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from valence.service import errors
from valence.service.api.http.problems import (
    KINDS,
    MEDIA_TYPE,
    UNEXPECTED,
    Kind,
    Problem,
    ProblemDetails,
    problem_json,
)
from valence.service.api.http.routes import Route
from valence.service.feedback.prediction_id import MAX_CHARACTERS
from valence.service.settings import Settings
from valence.service.version import VERSION

_REFERENCE = "#/components/schemas/{model}"
_REQUEST_ID_HEADER = {
    "description": "The id of the request: the client's, or a new one. The log has it too.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
}
_TRACEPARENT_HEADER = {
    "description": "W3C trace context of this answer, if the request has one or is traced.",
    "schema": {"type": "string"},
}
_PREDICTION_ID_HEADER = {
    "description": "The id of the answer, for `POST /v1/feedback`. The id of text N of several "
    "texts is this id with `.N` after it, counted from 0; of line N of a stream, counted from 1.",
    "schema": {"type": "string", "maxLength": MAX_CHARACTERS},
}
_ALWAYS = {"X-Request-ID": _REQUEST_ID_HEADER, "traceparent": _TRACEPARENT_HEADER}
_TIMEOUT_PARAMETER = {
    "name": "X-Request-Timeout-Ms",
    "in": "header",
    "description": "The client's deadline in milliseconds; the service's own deadline still "
    "applies. Without an answer by then the status is 504. If the queue is too long for the "
    "deadline, the status is 429 at once. `X-Envoy-Expected-Rq-Timeout-Ms` has the same meaning.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
# the empty entry is for a service without API keys
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}, {}]
_HEADERS = {
    401: {"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}},
    403: {
        "WWW-Authenticate": {
            "description": "`Bearer`, with the scope that the API key lacks.",
            "schema": {"type": "string"},
        }
    },
    405: {"Allow": {"description": "The methods of the path.", "schema": {"type": "string"}}},
    429: {
        "Retry-After": {
            "description": "Seconds to wait before the next attempt, estimated from the measured "
            "speed.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
    503: {
        "Retry-After": {
            "description": "Seconds to wait before the next attempt.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
}


def build_document(routes: Sequence[Route], settings: Settings) -> dict[str, Any]:
    """The document of ``routes``, with the limits in ``settings``."""
    names, schemas = _schemas(routes)
    _publish_limits(schemas, settings)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, names, settings)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Valence",
            "version": VERSION,
            "description": "Text classification with calibrated probabilities.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY_SCHEMES},
    }


def _schemas(
    routes: Sequence[Route],
) -> tuple[dict[Any, dict[str, str]], dict[str, Any]]:
    """The reference of each pydantic model in ``routes``, and all schemas by name."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (ProblemDetails, "serialization"): None
    }
    for route in routes:
        wanted[route.operation.error, "serialization"] = None
        if route.operation.request is not None:
            wanted[route.operation.request, "validation"] = None
        if not isinstance(route.operation.response, str):
            wanted[route.operation.response, "serialization"] = None
        if route.operation.response_line is not None:
            wanted[route.operation.response_line, "serialization"] = None
    references, definitions = models_json_schema(list(wanted), ref_template=_REFERENCE)
    names = {model: {"$ref": ref["$ref"]} for (model, _), ref in references.items()}
    return names, definitions["$defs"]


def _publish_limits(schemas: dict[str, Any], settings: Settings) -> None:
    """Write the limits in ``settings`` into ``schemas``."""
    fields = schemas["ClassifyRequest"]["properties"]
    fields["text"]["maxLength"] = settings.max_characters
    fields["texts"]["maxItems"] = settings.max_texts
    fields["ids"]["maxItems"] = settings.max_texts
    fields["texts"]["items"]["maxLength"] = settings.max_characters
    schemas["StreamLine"]["properties"]["text"]["maxLength"] = settings.max_characters
    schemas["ActivationsRequest"]["properties"]["text"]["maxLength"] = settings.max_characters
    tensor = schemas["InferInput"]["properties"]["data"]["anyOf"][0]
    tensor["maxItems"] = settings.max_texts
    text, row = tensor["items"]["anyOf"]
    text["maxLength"] = row["items"]["maxLength"] = settings.max_characters
    # one text or several; in a request of Hugging Face's each of several is a list of one, and so
    # may be one text
    for schema, field in (("PredictRequest", "inputs"), ("VllmRequest", "input")):
        one, several, *alone = schemas[schema]["properties"][field]["anyOf"]
        one["maxLength"] = settings.max_characters
        several["maxItems"] = settings.max_texts
        text = several["items"]
        arrays = (form["items"] for form in alone if "items" in form)
        for item in (text.get("items", text), *arrays):
            item["maxLength"] = settings.max_characters
    routed = schemas["VllmRequest"]["properties"]["inputs"]["anyOf"][0]
    routed["maxLength"] = settings.max_characters
    contents = schemas["ContentsRequest"]["properties"]["contents"]
    contents["maxItems"] = settings.max_texts
    contents["items"]["maxLength"] = settings.max_characters


def _operation(
    route: Route, names: dict[Any, dict[str, str]], settings: Settings
) -> dict[str, Any]:
    operation = route.operation
    words = route.path.replace("/", " ").replace("{", "").replace("}", "").replace(".", " ")
    operation_object: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *words.split()]),
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "parameters": [
            {
                "name": "X-Request-ID",
                "in": "header",
                "description": "The client's id for the request. It is returned with the answer "
                "and written to the log. The service ignores an id with characters other than "
                "letters, digits, `.`, `_` and `-`, or with more than 128 characters.",
                "schema": {"type": "string"},
            },
            {
                "name": "traceparent",
                "in": "header",
                "description": "W3C trace context. The trace continues in the answer, in the log "
                "and in the spans.",
                "schema": {"type": "string"},
            },
            *(
                {
                    "name": name,
                    "in": "path",
                    "required": True,
                    "description": description,
                    "schema": {"type": "string"},
                }
                for name, description in operation.parameters.items()
            ),
            *((_TIMEOUT_PARAMETER,) if errors.DeadlineExceeded in operation.errors else ()),
            *_query_parameters(operation.query),
        ],
        "security": [] if route.open else _SECURITY,
        "responses": {"200": _success_response(route, names), **_error_responses(route, names)},
    }
    if operation.request is not None:
        operation_object["requestBody"] = {
            "required": True,
            "content": {
                **{
                    media_type: {
                        "schema": names[operation.request],
                        "examples": _examples(operation.request_examples),
                    }
                    for media_type in operation.media_types
                },
                **_other_content(operation.other_requests, _line_schema(settings)),
            },
        }
    return operation_object


def _success_response(route: Route, names: dict[Any, dict[str, str]]) -> dict[str, Any]:
    operation = route.operation
    if isinstance(operation.response, str):
        content: dict[str, Any] = {operation.response: {}}
    else:
        described: dict[str, Any] = {"schema": names[operation.response]}
        if operation.response_examples:
            described["examples"] = _examples(operation.response_examples)
        content = {operation.media_types[0]: described}
    line = names[operation.response_line] if operation.response_line else None
    predicted = {"X-Prediction-ID": _PREDICTION_ID_HEADER} if operation.predicts else {}
    return {
        "description": operation.summary,
        "headers": {**_ALWAYS, **predicted},
        "content": {**content, **_other_content(operation.other_responses, line)},
    }


def _examples(examples: Mapping[str, JsonValue]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in examples.items()}


def _query_parameters(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    fields = model.model_json_schema()["properties"] if model else {}
    return [
        {
            "name": name,
            "in": "query",
            "description": schema.pop("description"),
            "schema": {key: value for key, value in schema.items() if key != "title"},
        }
        for name, schema in fields.items()
    ]


def _line_schema(settings: Settings) -> dict[str, Any]:
    """The schema of a text body with one text per line."""
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": settings.max_body_bytes,
        "description": f"At most {settings.max_texts} lines, each with one text of at most "
        f"{settings.max_characters} characters.",
    }


def _other_content(
    examples: Mapping[str, JsonValue], schema: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The content of bodies in other media types than JSON, by media type.

    A body with an example is text, or lines of ``schema``. A body without an example is binary and
    does not have a schema. Lines that refer to a model have no text as their example.
    """
    text = {"type": "string"}
    return {
        media_type: {}
        if example is None
        else {
            "schema": text
            if not schema or ("$ref" in schema and isinstance(example, str))
            else schema,
            "example": example,
        }
        for media_type, example in examples.items()
    }


def _error_responses(route: Route, names: dict[Any, dict[str, str]]) -> dict[str, Any]:
    by_status: dict[int, list[Kind]] = {UNEXPECTED.status: [UNEXPECTED]}
    of_keys = () if route.open else (errors.Unauthorized, errors.Forbidden, errors.RateLimited)
    of_bodies = (errors.BodyTooSlow,) if errors.BodyTooLarge in route.operation.errors else ()
    for error in dict.fromkeys((*route.operation.errors, *of_keys, *of_bodies)):
        by_status.setdefault(KINDS[error].status, []).append(KINDS[error])
    return {
        str(status): {
            "description": "; ".join(kind.title for kind in kinds)
            if len(kinds) > 1
            else f"{HTTPStatus(status).phrase}: {kinds[0].title}",
            "headers": {**_ALWAYS, **_HEADERS.get(status, {})},
            "content": {
                MEDIA_TYPE if route.refuse is problem_json else "application/json": {
                    "schema": names[route.operation.error],
                    "examples": {
                        kind.slug: {"value": _error_example(route, kind)} for kind in kinds
                    },
                }
            },
        }
        for status, kinds in sorted(by_status.items())
    }


def _error_example(route: Route, kind: Kind) -> Any:
    """The answer of ``route`` to an error of ``kind``, made by the code that answers errors."""
    problem = Problem(kind, "What was wrong with this request, and the remedy.")
    return pydantic_core.from_json(route.refuse(problem, "5f0c8e3a9b1d7c24-1f").body)
