"""``POST /v1/models/{name}/reload``: serve what the model store names now."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field
from valence.service import errors
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Operation, Route


class ReloadAnswer(BaseModel):
    """A model after a reload."""

    model: str
    version: Annotated[str, Field(description="The version that is served now.")]
    previous: Annotated[
        str,
        Field(
            description="The version before. The same as `version` if the model store names no "
            "other one."
        ),
    ]


async def reload_model(context: Context, request: Request) -> Outcome:
    """Answer ``POST /v1/models/{name}/reload``."""
    request.caller.require_operator("reload a model")
    scorer = context.models.get(request.parameters["name"])
    if context.reloads is None:
        raise errors.Unavailable("this process does not reload models; restart it")
    answer = await context.reloads.reload(scorer.name)
    return Outcome(
        Response(ReloadAnswer(**answer._asdict()).model_dump_json().encode()),
        answer.model,
        answer.version,
    )


ROUTES = (
    Route(
        method="POST",
        path="/v1/models/{name}/reload",
        handler=reload_model,
        scope="admin",
        operation=Operation(
            summary="Serve the version that the model store names",
            description="Loads the champion of the model, or its latest version if it has no "
            "champion, checks it, and serves it in place of the version before. Requests that have "
            "begun end with the version before. Needs an API key with the scope `admin`. Of "
            "several workers the one that answers reloads first, and the others follow within "
            "seconds.",
            tag="models",
            response=ReloadAnswer,
            response_examples={
                "a new version": {
                    "model": "sentiment",
                    "version": "20260105t031700000-5e6f7a8b",
                    "previous": "20260101t120000000-1a2b3c4d",
                }
            },
            parameters={"name": "The model, as `name`, `name:version` or `name@alias`."},
            errors=(
                errors.Forbidden,
                errors.UnknownModel,
                errors.ReloadRefused,
                errors.Unavailable,
            ),
        ),
    ),
)
