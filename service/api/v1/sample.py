"""``GET /v1/sample``: texts of clients that are kept for labelling, for those who label."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field
from valence.service import errors
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Operation, Route
from valence.service.sampling.sample import SampleReason

if TYPE_CHECKING:
    from valence.service.sampling.sample import SampledText

MAX_TEXTS = 1_000
"""Of an answer."""
_MAX_BYTES = 8 * 2**20


class SampleQuery(BaseModel):
    """Which texts are listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[
        str,
        Field(max_length=128, description="A model, as `name` or `name:version`. Empty: all."),
    ] = ""
    limit: Annotated[
        int, Field(ge=1, le=MAX_TEXTS, description="Texts of the answer, at most.")
    ] = 200


class SampledItem(BaseModel):
    """A text that is kept, with the answer that it got."""

    id: str
    model: str
    version: str
    text: str
    predicted: list[str]
    score: Annotated[
        float, Field(ge=0, le=1, description="The calibrated probability of the likeliest label.")
    ]
    reason: SampleReason


class SampleList(BaseModel):
    """The newest texts of the sample."""

    texts: list[SampledItem]


async def list_sample(context: Context, request: Request) -> Outcome:
    """Answer ``GET /v1/sample``."""
    context.models.require_serving()
    request.caller.require_operator("read texts of clients", scope="label")
    settings = context.settings
    if not settings.sample_texts:
        raise errors.SampleOff(
            "this service keeps no text; its operator may set VALENCE_SAMPLE_TEXTS and "
            "VALENCE_FEEDBACK_DATABASE"
        )
    query = request.query(SampleQuery)
    try:
        # a connection of its own: people ask rarely
        samples = await asyncio.to_thread(
            _read, settings.feedback_database, query.model, query.limit
        )
    except Exception as error:
        context.log.event("error", "sample not read", type=type(error).__name__)
        raise errors.Unavailable("the database of the sample did not answer; try again") from None
    items: list[SampledItem] = []
    size = 0
    for sample in samples:
        size += 4 * len(sample.text)
        if size > _MAX_BYTES and items:
            break
        items.append(
            SampledItem(
                id=sample.id,
                model=sample.model,
                version=sample.version,
                text=sample.text,
                predicted=list(sample.predicted),
                score=sample.score,
                reason=sample.reason,
            )
        )
    content = SampleList(texts=items).model_dump_json().encode()
    request.body.hold(len(content))
    return Outcome(Response(content))


def _read(address: str, model: str, limit: int) -> list[SampledText]:
    from valence.service.sampling.store import SampleStore

    store = SampleStore.open(address)
    try:
        return list(store.read(model, limit=limit))
    finally:
        store.close()


ROUTES = (
    Route(
        method="GET",
        path="/v1/sample",
        handler=list_sample,
        scope="label",
        operation=Operation(
            summary="List texts that are kept for labelling",
            description="The newest texts of clients in the sample that `VALENCE_SAMPLE_TEXTS` "
            "turns on; without it the answer is 404. Needs an API key with the scope `label`, also "
            "where other routes need no key.",
            tag="feedback",
            query=SampleQuery,
            response=SampleList,
            response_examples={
                "a text": {
                    "texts": [
                        {
                            "id": "5f1e0c7a9d3b2e4f6a8c0d1e2f3a4b5c",
                            "model": "sentiment",
                            "version": "1",
                            "text": "It is what it is.",
                            "predicted": ["neutral"],
                            "score": 0.4375,
                            "reason": "uncertain",
                        }
                    ]
                }
            },
            errors=(
                errors.Forbidden,
                errors.SampleOff,
                errors.InvalidRequest,
                errors.Overloaded,
                errors.Unavailable,
            ),
        ),
    ),
)
