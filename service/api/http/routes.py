"""What a route is: where, what answers, and how it is documented. Dialects are tuples of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, JsonValue
from valence.service import errors
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.problems import Problem, ProblemDetails, problem_json
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.errors import RequestError
from valence.service.inference.models import Models
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.settings import Settings

# Nobody keeps an answer, and no browser takes it for what it is not.
API_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


@dataclass(frozen=True, slots=True)
class Context:
    """What handlers work with."""

    settings: Settings
    models: Models
    metrics: Metrics
    log: Log
    routes: tuple[Route, ...]


Handler = Callable[[Context, Request], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A route's part of the OpenAPI document."""

    summary: str
    description: str
    tag: str
    response: type[BaseModel] | str
    """The answer's schema, or the media type of one that is not JSON."""
    request: type[BaseModel] | None = None
    request_examples: Mapping[str, JsonValue] = field(default_factory=dict)
    response_examples: Mapping[str, JsonValue] = field(default_factory=dict)
    other_requests: Mapping[str, JsonValue] = field(default_factory=dict)
    """An example of each other media type that is read."""
    other_responses: Mapping[str, JsonValue] = field(default_factory=dict)
    """An example of each other media type that is answered, or of a line of it."""
    response_line: type[BaseModel] | None = None
    """The schema of a line of ``other_responses``; without it they are text, or binary."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Descriptions of the path's parameters."""
    query: type[BaseModel] | None = None
    """The parameters of the query; none is needed."""
    media_types: tuple[str, ...] = ("application/json",)
    """Those in which ``request`` is read; the first is also that of ``response``."""
    errors: tuple[type[RequestError], ...] = ()
    error: type[BaseModel] = ProblemDetails
    """The schema of what the route's ``refuse`` answers."""


# what can become of any request that has texts scored
SCORING_ERRORS: tuple[type[RequestError], ...] = (
    errors.MalformedBody,
    errors.UnknownModel,
    errors.BodyTooLarge,
    errors.UnsupportedMedia,
    errors.InvalidRequest,
    errors.TextTooLong,
    errors.Overloaded,
    errors.Unavailable,
    errors.DeadlineExceeded,
)


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One operation; ``path`` is a template and the route's name in logs and metrics."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    operation: Operation = field(hash=False)
    logged: bool = True
    """Whether each request has a line in the log; probes and scrapes would drown the rest."""
    open: bool = False
    """Whether it is answered without an API key where the service wants them."""
    headers: tuple[tuple[bytes, bytes], ...] = API_HEADERS
    """What every answer of it carries, errors too."""
    refuse: Callable[[Problem, str], Response] = problem_json
    """Gives an error the shape that this route's clients expect."""
