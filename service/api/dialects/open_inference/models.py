"""Models as Triton's clients ask for them: metadata, readiness, configuration, statistics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pydantic_core
from valence.service import errors
from valence.service.api.dialects.open_inference.inference import model_in_path
from valence.service.api.dialects.open_inference.schemas import (
    Duration,
    InferStatistics,
    ModelConfiguration,
    ModelMetadata,
    ModelStatistics,
    Statistics,
    TensorConfiguration,
    TensorMetadata,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context
from valence.service.inference.scorer import Scorer
from valence.service.observability.metrics.totals import ModelTotals

_PLATFORM = "valence"


async def show_model(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/models/{name}[/versions/{version}]``."""
    answer = describe_model(context, model_in_path(request))
    return Outcome(Response(answer.model_dump_json().encode()))


def describe_model(context: Context, name: str) -> ModelMetadata:
    """The inputs and outputs of a model; raises what :meth:`Models.get` raises."""
    scorer = context.models.get(name)
    labels = scorer.manifest.labels
    return ModelMetadata(
        name=scorer.name,
        versions=[one.version for one in context.models.versions(scorer.name)],
        platform=_PLATFORM,
        inputs=[TensorMetadata(name="text", datatype="BYTES", shape=[-1])],
        outputs=[
            TensorMetadata(name="label", datatype="BYTES", shape=[-1]),
            TensorMetadata(name="probabilities", datatype="FP32", shape=[-1, len(labels)]),
        ],
        labels=list(labels),
    )


async def show_model_ready(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/models/{name}[/versions/{version}]/ready``.

    A probe has no API key, so the answer to it names no model but the one that it asks for.
    """
    name = model_in_path(request)
    try:
        scorer = context.models.get(name)
    except errors.UnknownModel:
        raise errors.UnknownModel(
            f"the model {name!r} is not served; GET /v1/models lists the models"
        ) from None
    return Outcome(Response(pydantic_core.to_json({"name": scorer.name, "ready": True})))


async def show_configuration(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/models/{name}[/versions/{version}]/config``."""
    scorer = context.models.get(model_in_path(request))
    answer = ModelConfiguration(
        name=scorer.name,
        platform=_PLATFORM,
        max_batch_size=0,
        input=[TensorConfiguration(name="text", data_type="TYPE_STRING", dims=[-1])],
        output=[
            TensorConfiguration(name="label", data_type="TYPE_STRING", dims=[-1]),
            TensorConfiguration(
                name="probabilities",
                data_type="TYPE_FP32",
                dims=[-1, len(scorer.manifest.labels)],
            ),
        ],
    )
    return Outcome(Response(answer.model_dump_json().encode()))


async def show_statistics(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v2/models/{name}[/versions/{version}]/stats`` and ``GET /v2/models/stats``."""
    name = model_in_path(request) if request.parameters else ""
    answer = await collect_statistics(context, name, one="version" in request.parameters)
    return Outcome(Response(answer.model_dump_json().encode()))


async def collect_statistics(context: Context, name: str, *, one: bool) -> Statistics:
    """What the versions of the model ``name`` have done, or of all models without a name.

    With ``one``, what the version alone that ``name`` means has done. Raises what
    :meth:`Models.get` raises.
    """
    models = context.models
    scorers: Sequence[Scorer]
    if one:
        scorers = (models.get(name),)
    else:
        names = (models.get(name).name,) if name else models.names
        models.require_serving()
        scorers = [scorer for name in names for scorer in models.versions(name)]
    models.report()
    # with several workers this reads the files of all workers
    totals = await asyncio.to_thread(context.metrics.totals)
    return Statistics(
        model_stats=[
            _statistics(scorer, totals.get((scorer.name, scorer.version), ModelTotals()))
            for scorer in scorers
        ]
    )


def _statistics(scorer: Scorer, totals: ModelTotals) -> ModelStatistics:
    def duration(*stages: str) -> Duration:
        seconds = sum(totals.seconds[stage] for stage in stages)
        return Duration(count=totals.requests, ns=round(seconds * 1e9))

    return ModelStatistics(
        name=scorer.name,
        version=scorer.version,
        inference_count=totals.documents,
        execution_count=totals.batches,
        inference_stats=InferStatistics(
            success=duration("tokenize", "queue", "infer"),
            queue=duration("queue"),
            compute_input=duration("tokenize"),
            compute_infer=duration("infer"),
        ),
    )
