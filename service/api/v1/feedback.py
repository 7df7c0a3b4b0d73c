"""``POST /v1/feedback``: the true labels of predictions, by the ids of the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from valence.service import errors
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Operation, Route
from valence.service.api.http.scoring import faults_of_length
from valence.service.api.http.validation import MAX_FAULTS
from valence.service.classifier.manifest import Manifest
from valence.service.errors import InvalidRequest
from valence.service.feedback.prediction_id import MAX_CHARACTERS, PredictionId
from valence.service.feedback.record import Record
from valence.service.settings import Settings

MAX_PIECES = 256
"""The pieces of feedback of a request."""
_MAX_SOURCE_CHARACTERS = 128
# a label that no model has is refused, so this only bounds the work
_MAX_LABELS = 1_024
# in an error
_SHOWN_LABELS = 20
_FIELD = "feedback"

Labels = Annotated[
    str | Annotated[list[str], Field(max_length=_MAX_LABELS)],
    Field(description="A label of the model; of a multi-label model a list, possibly empty."),
]


class FeedbackItem(BaseModel):
    """The truth about one prediction."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    prediction_id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_CHARACTERS,
            description="The `prediction_id` of an answer, or its header `X-Prediction-ID`. For "
            "text N of several texts, `.N` stands after it.",
        ),
    ]
    label: Annotated[Labels, Field(description="The true label, or the true labels.")]
    predicted: Annotated[
        Labels | None,
        Field(
            description="What the answer said, for a text of several texts, whose id does not say "
            "it. Absent: unknown, and the feedback does not count towards accuracy."
        ),
    ] = None
    score: Annotated[
        float | None,
        Field(ge=0, le=1, description="The score of the likeliest label, beside `predicted`."),
    ] = None
    text: Annotated[
        str, Field(description="The text, if the operator of the service keeps texts.")
    ] = ""
    source: Annotated[
        str,
        Field(
            max_length=_MAX_SOURCE_CHARACTERS,
            description="Who says so, such as `annotator`, if the operator keeps texts.",
        ),
    ] = ""


class FeedbackRequest(BaseModel):
    """Feedback about one prediction or several."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    feedback: Annotated[
        list[FeedbackItem], Field(min_length=1, json_schema_extra={"maxItems": MAX_PIECES})
    ]


class FeedbackFault(BaseModel):
    """Why one of several pieces of feedback is not stored."""

    index: Annotated[int, Field(ge=0, description="The index in `feedback`.")]
    location: Annotated[str, Field(description="The place in the body, as a path with dots.")]
    message: Annotated[str, Field(description="What was wrong, and the remedy.")]


class FeedbackResponse(BaseModel):
    """What is stored now."""

    stored: Annotated[int, Field(ge=1, description="How many pieces of feedback are stored.")]
    errors: Annotated[
        list[FeedbackFault],
        Field(description="The pieces that are not. If no piece can be, the request is refused."),
    ] = []


async def take_feedback(context: Context, request: Request) -> Outcome:
    """Answer ``POST /v1/feedback``."""
    context.models.require_serving()
    writer = context.feedback
    if writer is None:
        raise errors.FeedbackOff(
            "the operator of this service has set no database for feedback; "
            "VALENCE_FEEDBACK_DATABASE names one"
        )
    items = (await request.json(FeedbackRequest)).feedback
    if len(items) > MAX_PIECES:
        raise InvalidRequest.for_field(
            _FIELD,
            f"{len(items)} pieces, a request may have {MAX_PIECES}; send several requests",
        )
    request.caller.charge(len(items))
    records, faults = [], []
    received = time.time()
    for index, item in enumerate(items):
        try:
            records.append(_make_record(context, item, received))
        except InvalidRequest as fault:
            ((field, message),) = fault.problems
            faults.append(
                FeedbackFault(index=index, location=f"{_FIELD}.{index}.{field}", message=message)
            )
    if not records:
        problems = tuple((fault.location, fault.message) for fault in faults[:MAX_FAULTS])
        raise InvalidRequest(": ".join(problems[0]), problems)
    deadline = request.deadline(context.settings.request_timeout_seconds)
    try:
        async with asyncio.timeout(max(deadline - time.perf_counter(), 0.0)):
            await writer.write(records)
    except TimeoutError:
        raise errors.DeadlineExceeded(
            "the feedback database did not answer in time, and may have stored this feedback; send "
            "it again, which stores it once"
        ) from None
    context.metrics.feedback.count(
        (record.model, record.version, record.correct) for record in records
    )
    answer = FeedbackResponse(stored=len(records), errors=faults)
    return Outcome(Response(answer.model_dump_json(exclude_defaults=True).encode()))


def _make_record(context: Context, item: FeedbackItem, received: float) -> Record:
    """What ``item`` says; raises :class:`InvalidRequest` with one fault, relative to the item."""
    try:
        said = context.issuer.read(item.prediction_id)
    except ValueError as error:
        raise InvalidRequest.for_field("prediction_id", str(error)) from None
    _require_permitted(item, context.settings)
    manifest = _find_manifest(context, said)
    predicted, score = said.labels, said.score
    if item.predicted is not None or item.score is not None:
        if predicted is not None:
            raise InvalidRequest.for_field(
                "predicted", "the id says what was predicted; leave predicted and score out"
            )
        if item.predicted is None:
            raise InvalidRequest.for_field("score", "a score belongs to predicted; give both")
        predicted, score = _read_labels(item.predicted, manifest, field="predicted"), item.score
    return Record(
        id=said.text,
        model=said.model,
        version=said.version,
        time=said.time,
        predicted=predicted,
        score=score,
        truth=_read_labels(item.label, manifest, field="label"),
        received=received,
        source=item.source,
        text=item.text,
    )


def _require_permitted(item: FeedbackItem, settings: Settings) -> None:
    """Raise :class:`InvalidRequest` for what the operator does not keep."""
    for field, value in (("text", item.text), ("source", item.source)):
        if value and not settings.feedback_text:
            raise InvalidRequest.for_field(
                field,
                f"this service keeps no {field} of feedback; leave {field} out, or let its "
                "operator set VALENCE_FEEDBACK_TEXT=true",
            )
        if "\0" in value:
            raise InvalidRequest.for_field(
                field, "has the character U+0000, which databases do not keep; leave it out"
            )
    for message in faults_of_length((item.text,), settings).values():
        raise InvalidRequest.for_field("text", message)


def _find_manifest(context: Context, said: PredictionId) -> Manifest:
    """The manifest of the version that predicted, or of the one that now has its name."""
    models = context.models
    scorer = models.find(f"{said.model}:{said.version}") or models.find(said.model)
    if scorer is None:
        raise InvalidRequest.for_field(
            "prediction_id",
            f"it is of the model {said.model!r}, which is not served here any more; send the "
            "feedback to a service of this model",
        )
    return scorer.manifest


def _read_labels(given: str | Sequence[str], manifest: Manifest, *, field: str) -> tuple[str, ...]:
    """The labels of ``manifest`` that are ``given``, in its order."""
    labels = {given} if isinstance(given, str) else set(given)
    if not labels <= set(manifest.labels):
        raise InvalidRequest.for_field(
            field, f"not a label of {manifest.name!r}; its labels are {_list_labels(manifest)}"
        )
    if manifest.task == "single_label" and len(labels) != 1:
        raise InvalidRequest.for_field(
            field, f"{len(labels)} labels, but {manifest.name!r} gives a text one label; give one"
        )
    return tuple(label for label in manifest.labels if label in labels)


def _list_labels(manifest: Manifest) -> str:
    shown = ", ".join(manifest.labels[:_SHOWN_LABELS])
    rest = len(manifest.labels) - _SHOWN_LABELS
    return f"{shown} and {rest} more" if rest > 0 else shown


_ID = (
    "WyJzZW50aW1lbnQiLCIxIixbInBvc2l0aXZlIl1d."
    "1838d8c8e7cb8200000000003f700000b1a757ce6e5117f614c26d51"
)
_ID_OF_SEVERAL = "WyJzZW50aW1lbnQiLCIxIl0.1838d8c8e7cb8200000000010000000270bbcf149048d721d4245f8c"
ROUTES = (
    Route(
        method="POST",
        path="/v1/feedback",
        handler=take_feedback,
        scope="feedback",
        operation=Operation(
            summary="Tell the true labels of predictions",
            description="Stores the true labels beside what was predicted, in the database that "
            "`VALENCE_FEEDBACK_DATABASE` names; without one the answer is 404. The answer comes "
            "when all is on the disk. Feedback about one prediction may come several times: the "
            "last one counts. Needs an API key with the scope `feedback`, where the service wants "
            "keys. Each piece of feedback takes one text from the rate of the key.",
            tag="feedback",
            request=FeedbackRequest,
            request_examples={
                "one": {"feedback": [{"prediction_id": _ID, "label": "negative"}]},
                "a text of several": {
                    "feedback": [
                        {
                            "prediction_id": f"{_ID_OF_SEVERAL}.1",
                            "label": "negative",
                            "predicted": "positive",
                            "score": 0.75,
                        }
                    ]
                },
            },
            response=FeedbackResponse,
            response_examples={
                "stored": {"stored": 1},
                "one of two": {
                    "stored": 1,
                    "errors": [
                        {
                            "index": 1,
                            "location": "feedback.1.label",
                            "message": "not a label of 'sentiment'; its labels are negative, "
                            "neutral, positive",
                        }
                    ],
                },
            },
            errors=(
                errors.MalformedBody,
                errors.FeedbackOff,
                errors.BodyTooLarge,
                errors.UnsupportedMedia,
                errors.InvalidRequest,
                errors.Overloaded,
                errors.Unavailable,
                errors.DeadlineExceeded,
            ),
        ),
    ),
)
