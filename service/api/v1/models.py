"""``GET /v1/models``: what is served, on what it was trained and how well it does."""

from __future__ import annotations

from valence.service import errors
from valence.service.api.http.body import MIN_BYTES_PER_SECOND
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Operation, Route
from valence.service.api.v1.cards import Limits, ModelCard, ModelList, Sampling
from valence.service.api.v1.examples import CARD
from valence.service.api.v1.schemas import MAX_EXPLAINED_TEXTS, MAX_ID_CHARACTERS
from valence.service.classifier.licences import find_restrictions
from valence.service.classifier.manifest import Manifest, strip_paths
from valence.service.inference.scorer import Scorer
from valence.service.settings import Settings


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
        outside=manifest.outside,
        engine=scorer.engine.name,
        limits=limits(settings, manifest),
        sampling=_describe_sampling(settings),
        metrics=manifest.metrics,
        intervals=manifest.intervals,
        baselines=manifest.baselines,
        behaviour=manifest.behaviour,
        restrictions=find_restrictions(training),
        training=training.model_copy(update={"configuration": strip_paths(training.configuration)}),
    )


def _describe_sampling(settings: Settings) -> Sampling | None:
    if not settings.sample_texts:
        return None
    return Sampling(max_texts=settings.sample_texts, days=settings.sample_days or None)


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
