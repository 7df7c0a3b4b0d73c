"""Every error Valence raises on purpose, in one tree::

    ValenceError
    ├── ArtifactError           a model folder that cannot be trusted
    ├── ConfigurationError      a setting or configuration file that cannot be used
    └── RequestError            a request that cannot be answered as asked
        ├── Unauthorized        no API key, or none of this service's
        ├── RateLimited         an API key has asked for more than its rate
        ├── UnknownPath
        ├── MethodNotAllowed
        ├── MalformedBody       not JSON
        ├── BodyTooLarge
        ├── BodyTooSlow         the body did not come in time
        ├── UnsupportedMedia
        ├── InvalidRequest      JSON, but not of the documented shape
        ├── TextTooLong         more tokens than are read, where that was to be an error
        ├── UnknownModel
        ├── Overloaded          the queue is full
        ├── DeadlineExceeded    no answer within the time allowed
        └── Unavailable         starting or draining

Messages name the offending value and the remedy, and never contain a user's text.
How each becomes an HTTP status is written once, in :mod:`valence.service.api.http.problems`.
"""

from __future__ import annotations


class ValenceError(Exception):
    """Base of every error raised on purpose."""


class ArtifactError(ValenceError):
    """A model folder is damaged, incomplete, of another version, or not a model at all."""


class ConfigurationError(ValenceError):
    """A setting or a configuration file holds a value that cannot be used."""


class RequestError(ValenceError):
    """A request cannot be answered as asked."""


class Unauthorized(RequestError):
    """No API key came with the request, or none of this service's."""


class RateLimited(RequestError):
    """An API key asks for more than its rate; ``retry_after_seconds`` says when it may again."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnknownPath(RequestError):
    """Nothing is served at the path."""


class MethodNotAllowed(RequestError):
    """The path is served, but not with the method; ``allowed`` are those it has."""

    def __init__(self, message: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class MalformedBody(RequestError):
    """The body is not JSON."""


class BodyTooLarge(RequestError):
    """The body is larger than the service reads."""


class BodyTooSlow(RequestError):
    """The body did not come within the time allowed."""


class UnsupportedMedia(RequestError):
    """The body's content type or content encoding is not one the route reads."""


class InvalidRequest(RequestError):
    """The body is JSON but not of the documented shape.

    ``problems`` holds one ``(location, message)`` per fault, free of the user's text.
    """

    def __init__(self, message: str, problems: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems

    @classmethod
    def of(cls, field: str, message: str) -> InvalidRequest:
        """The error of one field."""
        return cls(f"{field}: {message}", ((field, message),))


class TextTooLong(RequestError):
    """A text has more tokens than the model reads, and the request asks to refuse such texts."""


class UnknownModel(RequestError):
    """No model of that name is served."""


class Overloaded(RequestError):
    """The queue is full; ``retry_after_seconds`` says when it is worth trying again."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceeded(RequestError):
    """The answer was not ready within the time allowed."""


class Unavailable(RequestError):
    """The service is starting or draining."""
