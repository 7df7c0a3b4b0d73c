"""The model repository extension: what the store holds, and what operators load and unload.

Clients of Triton and the agent of KServe send these requests. ``name`` is a bare name, or
``name:version`` for one version beside those that aliases name.
"""

from __future__ import annotations

from collections.abc import Mapping

import pydantic_core
from pydantic import JsonValue
from valence.service import errors
from valence.service.api.dialects.open_inference.inference import OCTETS
from valence.service.api.dialects.open_inference.problems import refuse
from valence.service.api.dialects.open_inference.schemas import (
    IndexRequest,
    InferError,
    RepositoryChange,
    RepositoryIndex,
    RepositoryRequest,
)
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Handler, Operation, Route
from valence.service.api.http.validation import Model, parse
from valence.service.errors import InvalidRequest
from valence.service.inference.reload.reloads import Reloads


async def show_index(context: Context, request: Request) -> Outcome:
    """Answer ``POST /v2/repository/index``."""
    reloads = require_reloads(context, request, "list the model store")
    asked = await _read(request, IndexRequest)
    entries = await list_entries(context, reloads, only_loaded=asked.ready)
    return Outcome(Response(pydantic_core.to_json(entries)))


async def list_entries(
    context: Context, reloads: Reloads, *, only_loaded: bool
) -> list[dict[str, str]]:
    """The versions in the model store, as :class:`RepositoryEntry`; or only those in memory."""
    entries = []
    for tag in await reloads.list_store():
        ready = context.models.find(str(tag)) is not None
        if ready or not only_loaded:
            state, reason = ("READY", "") if ready else ("UNAVAILABLE", "not loaded")
            entries.append(
                {"name": tag.name, "version": tag.version, "state": state, "reason": reason}
            )
    return entries


async def load_model(context: Context, request: Request) -> Outcome:
    """Answer ``POST /v2/repository/models/{name}/load``."""
    reloads = require_reloads(context, request, "load a model")
    asked = await _read(request, RepositoryRequest)
    require_plain_load(asked.parameters)
    loaded = await reloads.load(request.parameters["name"])
    return _describe_change(loaded.model, loaded.version)


async def unload_model(context: Context, request: Request) -> Outcome:
    """Answer ``POST /v2/repository/models/{name}/unload``."""
    reloads = require_reloads(context, request, "unload a model")
    asked = await _read(request, RepositoryRequest)
    require_plain_unload(asked.parameters)
    scorer = await reloads.unload(request.parameters["name"])
    return _describe_change(scorer.name, scorer.version)


def require_plain_load(parameters: Mapping[str, object]) -> None:
    """Raise :class:`InvalidRequest` for any parameter of a load."""
    for parameter in parameters:
        raise InvalidRequest.for_field(
            f"parameters.{parameter}",
            "a model is loaded from the model store as it is; leave the parameter out",
        )


def require_plain_unload(parameters: Mapping[str, object]) -> None:
    """Raise :class:`InvalidRequest` for a parameter that would change what an unload does."""
    for parameter, value in parameters.items():
        # no model here depends on another one
        if parameter != "unload_dependents" or not isinstance(value, bool):
            raise InvalidRequest.for_field(
                f"parameters.{parameter}", "not known here; leave the parameter out"
            )


def require_reloads(context: Context, request: Request, deed: str) -> Reloads:
    """What loads models; raises unless the caller is an operator who may do ``deed``."""
    request.caller.require_operator(deed)
    context.models.require_serving()
    if context.reloads is None:
        raise errors.Unavailable("this process does not load models; restart it")
    return context.reloads


async def _read(request: Request, model: type[Model]) -> Model:
    """The body of ``request``, which may be empty."""
    request.require_media("application/json", OCTETS)
    content = await request.body.read()
    return parse(model, content or b"{}", max_items=request.body.max_items)


def _describe_change(name: str, version: str) -> Outcome:
    answer = RepositoryChange(name=name, version=version)
    return Outcome(Response(answer.model_dump_json().encode()), name, version)


def _change_route(deed: str, handler: Handler, summary: str, description: str) -> Route:
    return Route(
        method="POST",
        path=f"/v2/repository/models/{{name}}/{deed}",
        handler=handler,
        refuse=refuse,
        scope="admin",
        operation=Operation(
            summary=summary,
            description=f"{description} Needs an API key with the scope `admin`. A service with "
            "several workers refuses it, because a request reaches one of them; it only loads "
            "`name`.",
            tag="open inference protocol",
            parameters={"name": "The model, as `name`, `name:version` or `name@alias`."},
            request=RepositoryRequest,
            request_examples={"no parameters": {}},
            response=RepositoryChange,
            response_examples={"one version": {"name": "sentiment", "version": "1"}},
            errors=(*_BODY_ERRORS, errors.UnknownModel, errors.ReloadRefused),
            error=InferError,
        ),
    )


_BODY_ERRORS = (
    errors.MalformedBody,
    errors.Forbidden,
    errors.BodyTooLarge,
    errors.UnsupportedMedia,
    errors.InvalidRequest,
    errors.Overloaded,
    errors.Unavailable,
)
_ENTRIES: list[JsonValue] = [
    {"name": "sentiment", "version": "1", "state": "READY", "reason": ""},
    {"name": "sentiment", "version": "2", "state": "UNAVAILABLE", "reason": "not loaded"},
]
REPOSITORY_ROUTES = (
    Route(
        method="POST",
        path="/v2/repository/index",
        handler=show_index,
        refuse=refuse,
        scope="admin",
        operation=Operation(
            summary="List the versions in the model store",
            description="Each version with its state: `READY` if it is in memory. Needs an API key "
            "with the scope `admin`.",
            tag="open inference protocol",
            request=IndexRequest,
            request_examples={"what is ready": {"ready": True}},
            response=RepositoryIndex,
            response_examples={"two versions": _ENTRIES},
            errors=_BODY_ERRORS,
            error=InferError,
        ),
    ),
    _change_route(
        "load",
        load_model,
        "Load a model of the model store",
        "`name` is served as `POST /v1/models/{name}/reload` does, also if it was not served so "
        "far. `name:version` is in memory from then on beside the versions that aliases name, "
        "until it is unloaded or gives way to another one (`VALENCE_RESIDENT_MIB`). The version is "
        "checked as for a reload.",
    ),
    _change_route(
        "unload",
        unload_model,
        "Unload a model",
        "`name:version` leaves memory, or with `name` all versions of the model, once their "
        "requests have answers. What an alias means, and the default model, stay.",
    ),
)
