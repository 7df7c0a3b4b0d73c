"""The dialect of Label Studio: a machine learning backend that labels the tasks of a project.

Label Studio appends ``/health``, ``/setup`` and ``/predict`` to the address of a backend. The
address is ``/label-studio``, or ``/label-studio/NAME`` for another model than the default: other
servers' clients call ``/predict`` and ``/health`` themselves. It sends an API key as the password
of basic authentication.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from valence.service import errors
from valence.service.annotation.choices import (
    Control,
    describe_prediction,
    make_control,
    read_control,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import Problem
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import (
    SCORING_ERRORS,
    Context,
    Handler,
    Operation,
    Route,
    make_get_route,
)
from valence.service.api.http.scoring import (
    TURN_TEXTS,
    describe_version,
    find_scorer,
    require_few,
    require_short,
    score_texts,
    to_json,
)
from valence.service.errors import InvalidRequest
from valence.service.inference.scored import ScoreRequest
from valence.service.inference.scorer import Scorer

PATHS = "/label-studio"
"""What the paths of this dialect begin with."""


class LabelStudioTask(BaseModel):
    """A task; other fields than these are not read."""

    model_config = ConfigDict(frozen=True)

    data: Annotated[
        dict[str, JsonValue],
        Field(description="The text, in the field that the labelling configuration names."),
    ]


class LabelStudioRequest(BaseModel):
    """Tasks of a project, as Label Studio sends them; other fields than these are not read."""

    model_config = ConfigDict(frozen=True)

    tasks: Annotated[list[LabelStudioTask], Field(min_length=1)]
    label_config: Annotated[
        str | None,
        Field(
            description="The labelling configuration of the project: a `Choices` of a `Text` with "
            "every label of the model. Absent: the field `text` and a control called `label`."
        ),
    ] = None


class LabelStudioSetup(BaseModel):
    """A project that connects to the backend; other fields than these are not read."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    configuration: Annotated[
        str, Field(alias="schema", description="The labelling configuration of the project.")
    ]


class LabelStudioResult(BaseModel):
    """The labels of one task."""

    model_version: str
    score: Annotated[
        float | None,
        Field(ge=0, le=1, description="The calibrated probability of the likeliest label."),
    ]
    result: Annotated[
        list[dict[str, JsonValue]],
        Field(description="The choices; empty for a task without a text, or without a label."),
    ]


class LabelStudioResponse(BaseModel):
    """The labels of each task, in the order of the tasks."""

    results: list[LabelStudioResult]
    model_version: Annotated[str, Field(description="As `name:version`.")]


class LabelStudioReady(BaseModel):
    """The version that will label the project."""

    model_version: Annotated[str, Field(description="As `name:version`.")]


class LabelStudioHealth(BaseModel):
    """The backend is up, and the model is loaded."""

    status: str
    model_class: Annotated[str, Field(description="As `name:version`.")]


class LabelStudioError(BaseModel):
    """An error in the shape that Label Studio reads."""

    error: str


async def check_health(context: Context, request: Request) -> Outcome:
    """Answer ``GET .../health``."""
    tag = _name_version(find_scorer(context, request, request.parameters.get("name")))
    answer = LabelStudioHealth(status="UP", model_class=tag)
    return Outcome(Response(answer.model_dump_json().encode()))


async def set_up(context: Context, request: Request) -> Outcome:
    """Answer ``POST .../setup``: refuse a project whose labels are not those of the model."""
    body = await request.json(LabelStudioSetup)
    scorer = find_scorer(context, request, request.parameters.get("name"))
    _find_control(body.configuration, scorer, field="schema")
    answer = LabelStudioReady(model_version=_name_version(scorer))
    return Outcome(Response(answer.model_dump_json().encode()))


async def predict(context: Context, request: Request) -> Outcome:
    """Answer ``POST .../predict``."""
    body = await request.json(LabelStudioRequest)
    require_few(body.tasks, context.settings, field="tasks")
    scorer = find_scorer(context, request, request.parameters.get("name"))
    control = _find_control(body.label_config, scorer, field="label_config")
    texts = [task.data.get(control.field) for task in body.tasks]
    known = {index: text for index, text in enumerate(texts) if isinstance(text, str)}
    if not known:
        raise InvalidRequest.for_field(
            "tasks",
            "no task has a text in the field that the labelling configuration names; import tasks "
            "with this field, or name another one in the value of Text",
        )
    for index, text in known.items():
        require_short(text, context.settings, field=f"tasks.{index}.data")
    scored = await score_texts(context, request, ScoreRequest(list(known.values())), scorer)
    version = _name_version(scorer)
    none: dict[str, Any] = {"model_version": version, "score": None, "result": []}
    results = [none] * len(texts)
    for number, (index, prediction) in enumerate(zip(known, scored.predictions, strict=True), 1):
        results[index] = describe_prediction(control, prediction, version=version)
        if not number % TURN_TEXTS:
            await asyncio.sleep(0)
    content = await to_json({"results": results, "model_version": version})
    response = Response(content, headers=(describe_version(scorer),))
    return Outcome.of(response, scorer, scored)


def _find_control(configuration: str | None, scorer: Scorer, *, field: str) -> Control:
    if not configuration:
        return make_control(scorer.manifest)
    try:
        return read_control(configuration, scorer.manifest)
    except ValueError as error:
        raise InvalidRequest.for_field(field, str(error)) from None


def _name_version(scorer: Scorer) -> str:
    return f"{scorer.name}:{scorer.version}"


def refuse(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """``problem`` in the shape that Label Studio reads."""
    return Response(
        pydantic_core.to_json({"error": problem.detail}),
        status=problem.kind.status,
        headers=problem.headers,
    )


_CONFIGURATION = (
    '<View><Text name="text" value="$text"/><Choices name="label" toName="text">'
    '<Choice value="negative"/><Choice value="neutral"/><Choice value="positive"/>'
    "</Choices></View>"
)
_VERSION = "sentiment:1"
_IN_PATH = {"name": "The model, as `name`, `name:version` or `name@alias`."}
_NO_MODEL = tuple(error for error in SCORING_ERRORS if error is not errors.UnknownModel)
_SETUP_ERRORS = (
    errors.MalformedBody,
    errors.BodyTooLarge,
    errors.UnsupportedMedia,
    errors.InvalidRequest,
    errors.Unavailable,
)
_PREDICT = Operation(
    summary="Label tasks as a backend of Label Studio does",
    description="Returns the labels of each task as a prediction of Label Studio. The address of "
    "the backend in Label Studio is this path without `/predict`.",
    tag="label studio",
    request=LabelStudioRequest,
    request_examples={
        "a task": {
            "tasks": [{"id": 1, "data": {"text": "I love this little thing!"}}],
            "label_config": _CONFIGURATION,
        }
    },
    response=LabelStudioResponse,
    response_examples={
        "a task": {
            "results": [
                {
                    "model_version": _VERSION,
                    "score": 0.9375,
                    "result": [
                        {
                            "from_name": "label",
                            "to_name": "text",
                            "type": "choices",
                            "value": {"choices": ["positive"]},
                        }
                    ],
                }
            ],
            "model_version": _VERSION,
        }
    },
    errors=_NO_MODEL,
    error=LabelStudioError,
)
_SETUP = Operation(
    summary="Connect a project of Label Studio",
    description="Checks that the labelling configuration has every label of the model. Nothing is "
    "stored, and the access token that Label Studio sends is not read.",
    tag="label studio",
    request=LabelStudioSetup,
    request_examples={"a project": {"project": "1.1745383213", "schema": _CONFIGURATION}},
    response=LabelStudioReady,
    response_examples={"a project": {"model_version": _VERSION}},
    errors=_SETUP_ERRORS,
    error=LabelStudioError,
)
_HEALTH = Operation(
    summary="Is the backend of Label Studio up?",
    description="Names the version that labels.",
    tag="label studio",
    response=LabelStudioHealth,
    response_examples={"up": {"status": "UP", "model_class": _VERSION}},
    errors=(errors.Unavailable,),
    error=LabelStudioError,
)


def _make_routes(prefix: str, parameters: dict[str, str]) -> tuple[Route, ...]:
    """The routes of a backend; with ``parameters``, the path names the model."""

    def describe(operation: Operation) -> Operation:
        if not parameters:
            return operation
        known = (*operation.errors, errors.UnknownModel)
        return replace(operation, parameters=parameters, errors=known)

    make_post = partial(_post_route, prefix=prefix)
    return (
        make_post("predict", predict, describe(_PREDICT)),
        make_post("setup", set_up, describe(_SETUP)),
        make_get_route(f"{prefix}/health", check_health, describe(_HEALTH), refuse=refuse),
    )


def _post_route(name: str, handler: Handler, operation: Operation, *, prefix: str) -> Route:
    return Route(
        method="POST",
        path=f"{prefix}/{name}",
        handler=handler,
        operation=operation,
        refuse=refuse,
    )


ROUTES = (*_make_routes(PATHS, {}), *_make_routes(f"{PATHS}/{{name}}", _IN_PATH))
