"""All errors that Valence raises on purpose, in one tree::

    ValenceError
    ├── ArtifactError           a model folder that is damaged or not a model
    ├── ConfigurationError      a setting or configuration file that cannot be used
    ├── InvalidTexts            texts of a Python program that are not texts
    ├── SourceError             a source of models that cannot be read, or holds no whole version
    ├── NonFiniteAnswer         a model that computes NaN or infinity for a text
    ├── ServiceError            a service that gave valence.Client no answer
    │   ├── ServiceRefused      an answer with an error
    │   └── ServiceUnreachable  no answer at all, or none in time
    └── RequestError            a request that the service refuses
        ├── Unauthorized        no API key, or an unknown one
        ├── Forbidden           the API key does not have the scope of the route
        ├── RateLimited         the rate limit of the API key is reached
        ├── UnknownPath
        ├── MethodNotAllowed
        ├── NotAcceptable       no media type of the answer is accepted
        ├── MalformedBody       not JSON
        ├── BodyTooLarge
        ├── BodyTooSlow         the body did not arrive in time
        ├── UnsupportedMedia
        ├── InvalidRequest      JSON, but not in the documented shape
        ├── TextTooLong         more tokens than the model reads, with truncation "error"
        ├── UnknownModel
        ├── FeedbackOff         the operator has set no database for feedback
        ├── SampleOff           the operator keeps no sample of texts
        ├── ReloadRefused       the model store names a version that cannot be served
        ├── Overloaded          the queue is full
        ├── DeadlineExceeded    no answer within the time allowed
        └── Unavailable         starting or draining

A message names the wrong value and the remedy, and never contains the text of a user.
:mod:`valence.service.api.http.problems` maps each error to its HTTP status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

SourceOutcome = Literal["damaged", "missing", "too_large", "unreachable"]
"""Why a version of a source of models was not copied."""


class ValenceError(Exception):
    """Base of all errors raised on purpose."""


class ArtifactError(ValenceError):
    """A model folder is damaged, incomplete, of another version, or not a model."""


class ConfigurationError(ValenceError):
    """A setting or a configuration file has an invalid value."""


class InvalidTexts(ValenceError, ValueError):
    """What a Python program gave as texts is not a column of texts; the message names the row."""


class SourceError(ValenceError):
    """A source of models cannot be read, or what it names cannot be served.

    ``outcome`` is the kind of the fault, as in ``valence_model_pulls_total``.
    """

    def __init__(self, message: str, *, outcome: SourceOutcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class NonFiniteAnswer(ValenceError):
    """A model computed NaN or infinity for a text; the answer would mean nothing."""


class ServiceError(ValenceError):
    """A service gave ``valence.Client`` no answer that it can use."""


class ServiceRefused(ServiceError):
    """The service answered with an error.

    ``problem`` is its problem document (RFC 9457) with ``type``, ``title``, ``detail``,
    ``request_id`` and perhaps ``errors``; it is empty if a proxy answered.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        problem: Mapping[str, Any],
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds


class ServiceUnreachable(ServiceError):
    """The service gave no answer at all, or none within the time allowed."""


class RequestError(ValenceError):
    """The service refuses a request."""


class Unauthorized(RequestError):
    """The request does not have an API key, or has an unknown one."""


class Forbidden(RequestError):
    """The API key of the request does not have the ``scope`` of the route."""

    def __init__(self, message: str, *, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class RateLimited(RequestError):
    """The rate limit of an API key is reached; try again after ``retry_after_seconds``."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnknownPath(RequestError):
    """The path does not exist."""


class MethodNotAllowed(RequestError):
    """The path does not have the method; ``allowed`` are the methods of the path."""

    def __init__(self, message: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class NotAcceptable(RequestError):
    """The client accepts no media type that the route can answer in."""


class MalformedBody(RequestError):
    """The body is not JSON."""


class BodyTooLarge(RequestError):
    """The body is larger than the limit."""


class BodyTooSlow(RequestError):
    """The body did not arrive within the time allowed."""


class UnsupportedMedia(RequestError):
    """The route does not read the content type or the content encoding of the body."""


class InvalidRequest(RequestError):
    """The body is JSON, but not in the documented shape.

    ``problems`` has one ``(location, message)`` per fault, without the text of the user.
    """

    def __init__(self, message: str, problems: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems

    @classmethod
    def for_field(cls, field: str, message: str) -> InvalidRequest:
        """The error for one fault, in ``field``."""
        return cls(f"{field}: {message}", ((field, message),))


class TextTooLong(RequestError):
    """A text has more tokens than the model reads, and the request has truncation ``error``."""


class UnknownModel(RequestError):
    """The service does not serve a model of this name."""


class FeedbackOff(RequestError):
    """The service stores no feedback: its operator has set no database."""


class SampleOff(RequestError):
    """The service keeps no texts of clients: its operator wants no sample."""


class ReloadRefused(RequestError):
    """The model store names a version that cannot be served; the version before serves on."""


class Overloaded(RequestError):
    """The queue is full; try again after ``retry_after_seconds``."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceeded(RequestError):
    """The answer was not ready within the time allowed."""


class Unavailable(RequestError):
    """The service is starting or draining."""
