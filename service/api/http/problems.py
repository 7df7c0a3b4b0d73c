"""Errors over HTTP: the one table from exception to status, and RFC 9457's shape for them."""

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
    """A row of the table: what an exception is to a client."""

    status: int
    slug: str
    title: str

    @property
    def uri(self) -> str:
        """The stable name that clients compare."""
        return f"urn:valence:problem:{self.slug}"


KINDS: dict[type[errors.RequestError], Kind] = {
    errors.MalformedBody: Kind(400, "malformed-body", "The body is not JSON"),
    errors.Unauthorized: Kind(401, "unauthorized", "No valid API key"),
    errors.UnknownPath: Kind(404, "unknown-path", "Nothing is served at this path"),
    errors.UnknownModel: Kind(404, "unknown-model", "No such model is served"),
    errors.MethodNotAllowed: Kind(405, "method-not-allowed", "The path has no such method"),
    errors.BodyTooSlow: Kind(408, "request-timeout", "The body came too slowly"),
    errors.BodyTooLarge: Kind(413, "body-too-large", "The body is too large"),
    errors.UnsupportedMedia: Kind(415, "unsupported-media", "The body's media type is not read"),
    errors.InvalidRequest: Kind(422, "invalid-request", "The request is not of this shape"),
    errors.TextTooLong: Kind(422, "text-too-long", "A text is longer than is read"),
    errors.RateLimited: Kind(429, "rate-limited", "The API key's rate is used up"),
    errors.Overloaded: Kind(429, "overloaded", "The queue is full"),
    errors.Unavailable: Kind(503, "unavailable", "The service is starting or draining"),
    errors.DeadlineExceeded: Kind(504, "deadline-exceeded", "No answer within the time allowed"),
}
_CHALLENGE = (b"www-authenticate", b'Bearer realm="valence"')
UNEXPECTED = Kind(500, "unexpected", "An error that is ours")


class FieldProblem(BaseModel):
    """One fault of a request."""

    location: Annotated[str, Field(description="where in the body, dots between the steps")]
    message: str


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 (problem details for HTTP) shapes it."""

    model_config = ConfigDict(title="Problem")

    type: Annotated[str, Field(description="names the kind of error; stable")]
    title: str
    status: int
    detail: Annotated[str, Field(description="what was wrong with this request, and the remedy")]
    request_id: str
    errors: list[FieldProblem] = []


@dataclass(frozen=True, slots=True)
class Problem:
    """An error on its way to a client; each dialect gives it the shape its clients expect."""

    kind: Kind
    detail: str
    faults: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[bytes, bytes], ...] = ()


def describe(error: Exception) -> Problem:
    """The problem an exception is; one that was not raised on purpose says nothing of itself."""
    kind = KINDS.get(type(error)) if isinstance(error, errors.RequestError) else None
    if kind is None:
        return Problem(
            UNEXPECTED, "the service failed; the log names where under this request's id"
        )
    faults = error.problems if isinstance(error, errors.InvalidRequest) else ()
    return Problem(kind, str(error), faults, _headers(error))


def _headers(error: Exception) -> tuple[tuple[bytes, bytes], ...]:
    """What HTTP wants beside the status."""
    match error:
        case errors.Overloaded() | errors.RateLimited():
            return (_retry_after(error.retry_after_seconds),)
        case errors.Unavailable():
            return (_retry_after(1.0),)
        case errors.BodyTooSlow():
            return ((b"connection", b"close"),)
        case errors.Unauthorized():
            return (_CHALLENGE,)
        case errors.MethodNotAllowed():
            return ((b"allow", ", ".join(error.allowed).encode()),)
    return ()


def problem_json(problem: Problem, request_id: str) -> Response:
    """``problem`` as RFC 9457 writes it."""
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
