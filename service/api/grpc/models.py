"""The other methods of the protocol: server, models, and the model repository."""

from __future__ import annotations

from typing import Any

from valence.service.api.dialects.open_inference import repository
from valence.service.api.dialects.open_inference.models import collect_statistics, describe_model
from valence.service.api.grpc.messages import MESSAGES
from valence.service.api.grpc.procedures import (
    make_route,
    name_model,
    read_message,
    read_parameters,
    write_message,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.routes import Context
from valence.service.errors import InvalidRequest, UnknownModel
from valence.service.inference.models import Phase
from valence.service.version import VERSION

_EXTENSIONS = ("model_repository", "statistics")


async def check_liveness(context: Context, request: Request) -> Outcome:
    """Answer ``ServerLive``."""
    await read_message(request, MESSAGES["ServerLiveRequest"])
    return Outcome(write_message(MESSAGES["ServerLiveResponse"](live=context.models.alive)))


async def check_readiness(context: Context, request: Request) -> Outcome:
    """Answer ``ServerReady``."""
    await read_message(request, MESSAGES["ServerReadyRequest"])
    ready = context.models.phase is Phase.SERVING
    return Outcome(write_message(MESSAGES["ServerReadyResponse"](ready=ready)))


async def check_model(context: Context, request: Request) -> Outcome:
    """Answer ``ModelReady``; a model that is not served is not ready."""
    asked = await read_message(request, MESSAGES["ModelReadyRequest"])
    try:
        context.models.get(name_model(asked.name, asked.version))
        ready = True
    except UnknownModel:
        ready = False
    return Outcome(write_message(MESSAGES["ModelReadyResponse"](ready=ready)))


async def show_server(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``ServerMetadata``."""
    await read_message(request, MESSAGES["ServerMetadataRequest"])
    answer = MESSAGES["ServerMetadataResponse"](
        name="valence", version=VERSION, extensions=_EXTENSIONS
    )
    return Outcome(write_message(answer))


async def show_model(context: Context, request: Request) -> Outcome:
    """Answer ``ModelMetadata``."""
    asked = await read_message(request, MESSAGES["ModelMetadataRequest"])
    model = describe_model(context, name_model(asked.name, asked.version))
    fields = model.model_dump(exclude={"labels"})
    return Outcome(write_message(MESSAGES["ModelMetadataResponse"](**fields)))


async def show_statistics(context: Context, request: Request) -> Outcome:
    """Answer ``ModelStatistics``."""
    asked = await read_message(request, MESSAGES["ModelStatisticsRequest"])
    name = name_model(asked.name, asked.version)
    statistics = await collect_statistics(context, name, one=bool(asked.version))
    return Outcome(write_message(MESSAGES["ModelStatisticsResponse"](**statistics.model_dump())))


async def show_index(context: Context, request: Request) -> Outcome:
    """Answer ``RepositoryIndex``."""
    reloads = repository.require_reloads(context, request, "list the model store")
    asked = await read_message(request, MESSAGES["RepositoryIndexRequest"])
    entries = await repository.list_entries(context, reloads, only_loaded=asked.ready)
    return Outcome(write_message(MESSAGES["RepositoryIndexResponse"](models=entries)))


async def load_model(context: Context, request: Request) -> Outcome:
    """Answer ``RepositoryModelLoad``."""
    reloads = repository.require_reloads(context, request, "load a model")
    asked = await read_message(request, MESSAGES["RepositoryModelRequest"])
    repository.require_plain_load(read_parameters(asked.parameters))
    loaded = await reloads.load(_read_name(asked))
    answer = MESSAGES["RepositoryModelLoadResponse"](model_name=loaded.model, isLoaded=True)
    return Outcome(write_message(answer), loaded.model, loaded.version)


async def unload_model(context: Context, request: Request) -> Outcome:
    """Answer ``RepositoryModelUnload``."""
    reloads = repository.require_reloads(context, request, "unload a model")
    asked = await read_message(request, MESSAGES["RepositoryModelRequest"])
    repository.require_plain_unload(read_parameters(asked.parameters))
    scorer = await reloads.unload(_read_name(asked))
    answer = MESSAGES["RepositoryModelUnloadResponse"](model_name=scorer.name, isUnloaded=True)
    return Outcome(write_message(answer), scorer.name, scorer.version)


def _read_name(asked: Any) -> str:
    """The model to load or unload, as Triton's clients or as KServe's say it."""
    name: str = asked.model_name or asked.repository_name
    if not name:
        raise InvalidRequest.for_field("model_name", "is missing; name the model")
    return name


ROUTES = (
    make_route("ServerLive", check_liveness, "Is the process alive?", probe=True),
    make_route("ServerReady", check_readiness, "Are the models loaded and warm?", probe=True),
    make_route("ModelReady", check_model, "Is the model ready?", probe=True),
    make_route("ServerMetadata", show_server, "Show the server"),
    make_route("ModelMetadata", show_model, "Show the inputs and outputs of a model"),
    make_route("ModelStatistics", show_statistics, "Show what models have done"),
    make_route("RepositoryIndex", show_index, "List the versions in the store", scope="admin"),
    make_route("RepositoryModelLoad", load_model, "Load a model of the store", scope="admin"),
    make_route("RepositoryModelUnload", unload_model, "Unload a model", scope="admin"),
)
