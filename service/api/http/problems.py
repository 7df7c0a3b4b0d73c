"""Errors over HTTP: the one table from exception to status, and their shape by RFC 9457."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field
from valence.service import errors
from valence.service.api.http.response import Response

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table: the status and the title that a client sees for an exception."""

    status: int
    slug: str
    title: str

    @property
    def uri(self) -> str:
        """The stable identifier of the kind, which clients compare."""
        return f"urn:valence:problem:{self.slug}"


KINDS: dict[type[errors.RequestError], Kind] = {
    errors.MalformedBody: Kind(400, "malformed-body", "The body is not JSON"),
    errors.Unauthorized: Kind(401, "unauthorized", "No valid API key"),
    errors.Forbidden: Kind(403, "forbidden", "The API key does not have the scope"),
    errors.UnknownPath: Kind(404, "unknown-path", "This path does not exist"),
    errors.UnknownModel: Kind(404, "unknown-model", "This model is not served"),
    errors.FeedbackOff: Kind(404, "feedback-off", "This service stores no feedback"),
    errors.SampleOff: Kind(404, "sample-off", "This service keeps no sample of texts"),
    errors.MethodNotAllowed: Kind(405, "method-not-allowed", "The path does not have this method"),
    errors.NotAcceptable: Kind(
        406, "not-acceptable", "The answer has no media type that the client accepts"
    ),
    errors.ReloadRefused: Kind(
        409, "reload-refused", "The version in the model store cannot be served"
    ),
    errors.BodyTooSlow: Kind(408, "request-timeout", "The body arrived too slowly"),
    errors.BodyTooLarge: Kind(413, "body-too-large", "The body is too large"),
    errors.UnsupportedMedia: Kind(
        415, "unsupported-media", "The media type of the body is not supported"
    ),
    errors.InvalidRequest: Kind(
        422, "invalid-request", "The request does not have the documented shape"
    ),
    errors.TextTooLong: Kind(422, "text-too-long", "A text is longer than the model reads"),
    errors.RateLimited: Kind(429, "rate-limited", "The rate limit of the API key is reached"),
    errors.Overloaded: Kind(429, "overloaded", "The queue is full"),
    errors.Unavailable: Kind(503, "unavailable", "The service is starting or draining"),
    errors.DeadlineExceeded: Kind(504, "deadline-exceeded", "No answer within the time allowed"),
}
UNEXPECTED = Kind(500, "unexpected", "Internal error")


class FieldProblem(BaseModel):
    """One fault in a request."""

    location: Annotated[str, Field(description="The place in the body, as a path with dots.")]
    message: str


class ProblemDetails(BaseModel):
    """An error in the shape of RFC 9457 (problem details for HTTP APIs)."""

    model_config = ConfigDict(title="Problem")

    type: Annotated[str, Field(description="Stable name of the kind of error.")]
    title: str
    status: int
    detail: Annotated[str, Field(description="What was wrong with this request, and the remedy.")]
    request_id: str
    errors: list[FieldProblem] = []


@dataclass(frozen=True, slots=True)
class Problem:
    """An error to be sent to a client. Each dialect gives it the shape that its clients expect."""

    kind: Kind
    detail: str
    faults: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[bytes, bytes], ...] = ()


def describe(error: Exception) -> Problem:
    """The problem for an exception. An exception not raised on purpose stays in the log."""
    kind = KINDS.get(type(error)) if isinstance(error, errors.RequestError) else None
    if kind is None:
        return Problem(
            UNEXPECTED, "the service failed; its log shows the cause under the id of this request"
        )
    faults = error.problems if isinstance(error, errors.InvalidRequest) else ()
    return Problem(kind, str(error), faults, _headers(error))


def _headers(error: Exception) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that the status requires."""
    match error:
        case errors.Overloaded() | errors.RateLimited():
            return (_retry_after(error.retry_after_seconds),)
        case errors.Unavailable():
            return (_retry_after(1.0),)
        case errors.BodyTooSlow():
            return ((b"connection", b"close"),)
        case errors.Unauthorized() | errors.Forbidden():
            return (_challenge(error),)
        case errors.MethodNotAllowed():
            return ((b"allow", ", ".join(error.allowed).encode()),)
    return ()


def _challenge(error: errors.Unauthorized | errors.Forbidden) -> tuple[bytes, bytes]:
    """The challenge of RFC 6750, section 3, with the scope that a valid key lacks."""
    challenge = 'Bearer realm="valence"'
    if isinstance(error, errors.Forbidden):
        challenge += f', error="insufficient_scope", scope="{error.scope}"'
    return b"www-authenticate", challenge.encode()


def problem_json(problem: Problem, request_id: str) -> Response:
    """``problem`` as an RFC 9457 response."""
    content: dict[str, object] = {
        "type": problem.kind.uri,
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.faults:
        content["errors"] = [
            {"location": location, "message": message} for location, message in problem.faults
        ]
    return Response(
        pydantic_core.to_json(content),
        status=problem.kind.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )


def _retry_after(seconds: float) -> tuple[bytes, bytes]:
    return b"retry-after", str(max(1, math.ceil(seconds))).encode()
