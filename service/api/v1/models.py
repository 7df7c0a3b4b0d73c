"""``GET /v1/models``: what is served, on what it was trained and how well it does."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, JsonValue
from valence.service import errors
from valence.service.api.http.body import MIN_BYTES_PER_SECOND
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Operation, Route
from valence.service.api.v1.examples import CARD
from valence.service.api.v1.schemas import MAX_EXPLAINED_TEXTS, MAX_ID_CHARACTERS
from valence.service.classifier.licences import find_restrictions
from valence.service.classifier.manifest import (
    BehaviourRecord,
    Manifest,
    Task,
    Training,
    strip_paths,
)
from valence.service.inference.scorer import Scorer
from valence.service.settings import Settings


class Limits(BaseModel):
    """The limits of requests, texts, connections and queues.

    Beyond a limit the service refuses the request or closes the connection.
    """

    max_body_bytes: int
    max_texts: int
    max_characters: int
    max_tokens: Annotated[int, Field(description="Tokens of a text that the model reads at once.")]
    max_id_characters: int
    max_explained_texts: Annotated[int, Field(description="Texts in a request with `explain`.")]
    max_windows: Annotated[
        int, Field(description="Windows and sentences of the texts of a request.")
    ]
    max_explained_tokens: Annotated[
        int, Field(description="Tokens of the texts of a request with `explain`.")
    ]
    max_answer_bytes: Annotated[
        int, Field(description="Size of an answer, estimated before the texts are scored.")
    ]
    queue_items: int
    queue_tokens: int
    request_timeout_seconds: Annotated[
        float, Field(description="The maximum for `X-Request-Timeout-Ms` too.")
    ]
    body_memory_bytes: Annotated[
        int,
        Field(description="Memory for bodies, texts and large answers of all requests."),
    ]
    max_header_bytes: int
    max_headers: int
    header_timeout_seconds: float
    body_idle_seconds: Annotated[
        float, Field(description="Maximum pause of a client while it sends or reads.")
    ]
    min_body_bytes_per_second: Annotated[
        int, Field(description="Minimum speed of a body after `body_idle_seconds`.")
    ]
    keep_alive_seconds: Annotated[float, Field(description="Time between two requests.")]
    stream_idle_seconds: Annotated[float, Field(description="Maximum pause of a stream.")]
    max_connections: Annotated[int, Field(description="Fewer if the process may open few files.")]
    key_texts_per_second: Annotated[
        float | None,
        Field(description="Rate of an API key without a rate of its own. Null: no limit."),
    ]
    key_tokens_per_second: Annotated[
        float | None,
        Field(description="The same rate, in tokens. Null: no limit."),
    ]


def limits(settings: Settings, manifest: Manifest) -> Limits:
    """The limits for requests to a model; all routes that report limits use this function."""
    return Limits(
        max_body_bytes=settings.max_body_bytes,
        max_texts=settings.max_texts,
        max_characters=settings.max_characters,
        max_tokens=manifest.max_tokens,
        max_id_characters=MAX_ID_CHARACTERS,
        max_explained_texts=MAX_EXPLAINED_TEXTS,
        max_windows=settings.max_windows,
        max_explained_tokens=settings.max_explained_tokens,
        max_answer_bytes=settings.max_answer_bytes,
        queue_items=settings.queue_items,
        queue_tokens=settings.queue_tokens,
        request_timeout_seconds=settings.request_timeout_seconds,
        body_memory_bytes=settings.body_memory_bytes,
        max_header_bytes=settings.max_header_bytes,
        max_headers=settings.max_headers,
        header_timeout_seconds=settings.header_timeout_seconds,
        body_idle_seconds=settings.body_idle_seconds,
        min_body_bytes_per_second=MIN_BYTES_PER_SECOND,
        keep_alive_seconds=settings.keep_alive_seconds,
        stream_idle_seconds=settings.stream_idle_seconds,
        max_connections=settings.max_connections,
        key_texts_per_second=settings.key_texts_per_second or None,
        key_tokens_per_second=settings.key_tokens_per_second or None,
    )


class ModelCard(BaseModel):
    """One served model."""

    name: str
    version: str
    default: Annotated[
        bool, Field(description="Whether the model answers requests without a model.")
    ]
    versions: Annotated[
        list[str],
        Field(description="The versions in memory; each answers to `name:version`."),
    ]
    aliases: Annotated[
        dict[str, str],
        Field(description="The version of each alias; each answers to `name@alias`."),
    ]
    task: Annotated[
        Task,
        Field(
            description="`single_label`: one label per text. `multi_label`: any number of labels "
            "per text, each decided alone by its threshold."
        ),
    ]
    labels: list[str]
    thresholds: Annotated[
        dict[str, float],
        Field(description="The probability from which on a `multi_label` model gives a label."),
    ]
    polarity: dict[str, float] | None
    engine: Annotated[str, Field(description="The engine that runs the model.")]
    limits: Limits
    metrics: Annotated[dict[str, JsonValue], Field(description="Metrics by split of the data.")]
    intervals: Annotated[
        dict[str, dict[str, tuple[float, float]]],
        Field(description="95 % bootstrap intervals by split and metric."),
    ]
    baselines: Annotated[
        dict[str, dict[str, float]],
        Field(description="Metrics of other classifiers on the test texts, by name."),
    ]
    behaviour: Annotated[
        dict[str, BehaviourRecord],
        Field(
            description="Behaviour tests by capability (negation, typos, names, ...): the numbers "
            "of cases tried and passed."
        ),
    ]
    restrictions: Annotated[
        list[str],
        Field(
            description="Data of the training that its owner allows for some uses only, such as "
            "research, with the licence. Empty: none is recorded."
        ),
    ]
    training: Annotated[
        Training, Field(description="Data, configuration, code and hardware of the training.")
    ]


class ModelList(BaseModel):
    """Every served model."""

    models: list[ModelCard]


async def list_models(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /v1/models``."""
    cards = [_card(context, scorer) for scorer in context.models.all()]
    return Outcome(Response(ModelList(models=cards).model_dump_json().encode()))


async def show_model(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v1/models/{name}``."""
    scorer = context.models.get(request.parameters["name"])
    return Outcome(Response(_card(context, scorer).model_dump_json().encode()))


def _card(context: Context, scorer: Scorer) -> ModelCard:
    manifest, settings = scorer.manifest, context.settings
    training = manifest.training
    return ModelCard(
        name=manifest.name,
        version=manifest.version,
        default=manifest.name == context.models.default,
        versions=[one.version for one in context.models.versions(manifest.name)],
        aliases={
            alias: one.version for alias, one in context.models.aliases(manifest.name).items()
        },
        task=manifest.task,
        labels=list(manifest.labels),
        thresholds=manifest.thresholds,
        polarity=manifest.polarity,
        engine=scorer.engine.name,
        limits=limits(settings, manifest),
        metrics=manifest.metrics,
        intervals=manifest.intervals,
        baselines=manifest.baselines,
        behaviour=manifest.behaviour,
        restrictions=find_restrictions(training),
        training=training.model_copy(update={"configuration": strip_paths(training.configuration)}),
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/models",
        handler=list_models,
        operation=Operation(
            summary="List the served models",
            description="Labels, limits, engine and measured quality of each model; data, "
            "configuration, code, packages and hardware of its training.",
            tag="models",
            response=ModelList,
            response_examples={"one model": {"models": [CARD]}},
            errors=(errors.Unavailable,),
        ),
    ),
    Route(
        method="GET",
        path="/v1/models/{name}",
        handler=show_model,
        operation=Operation(
            summary="Show one model",
            description="The same fields as in the list, of any version in memory.",
            tag="models",
            response=ModelCard,
            response_examples={"sentiment": CARD},
            parameters={"name": "The model, as `name`, `name:version` or `name@alias`."},
            errors=(errors.UnknownModel, errors.Unavailable),
        ),
    ),
)
