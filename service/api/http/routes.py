"""The definition of a route: its path, its handler and its documentation."""

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
from valence.service.feedback.group_writer import GroupWriter
from valence.service.feedback.prediction_id import Issuer
from valence.service.inference.models import Models
from valence.service.inference.reload.reloads import Reloads
from valence.service.keys.key import Scope
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.settings import Settings

# Caches store no answer, and browsers do not guess its media type.
API_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


@dataclass(frozen=True, slots=True)
class Context:
    """What handlers share."""

    settings: Settings
    models: Models
    metrics: Metrics
    log: Log
    routes: tuple[Route, ...]
    reloads: Reloads | None = None
    issuer: Issuer = field(default_factory=Issuer)
    """Makes the ids of predictions, and reads them."""
    feedback: GroupWriter | None = None
    """Stores feedback; None without a database."""


Handler = Callable[[Context, Request], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """The part of a route in the OpenAPI document."""

    summary: str
    description: str
    tag: str
    response: type[BaseModel] | str
    """The schema of the answer, or the media type of an answer that is not JSON."""
    request: type[BaseModel] | None = None
    request_examples: Mapping[str, JsonValue] = field(default_factory=dict)
    response_examples: Mapping[str, JsonValue] = field(default_factory=dict)
    other_requests: Mapping[str, JsonValue] = field(default_factory=dict)
    """An example for each other media type of the request."""
    other_responses: Mapping[str, JsonValue] = field(default_factory=dict)
    """An example for each other media type of the answer, or of a line of the answer."""
    response_line: type[BaseModel] | None = None
    """The schema of a line of ``other_responses``; without it these are text or binary."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Descriptions of the parameters of the path."""
    query: type[BaseModel] | None = None
    """The parameters of the query; all are optional."""
    media_types: tuple[str, ...] = ("application/json",)
    """The media types of ``request``; the first is also the media type of ``response``."""
    errors: tuple[type[RequestError], ...] = ()
    error: type[BaseModel] = ProblemDetails
    """The schema of the answers of the route's ``refuse``."""

    @property
    def predicts(self) -> bool:
        """Whether an answer is a prediction of labels, which has an id."""
        return self.tag == "classify" or errors.TextTooLong in self.errors


# the errors of every route that scores texts
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
    """One operation; ``path`` is a template, and the name of the route in logs and metrics."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    operation: Operation = field(hash=False)
    logged: bool = True
    """Whether each request has a line in the log. Probes and scrapes would flood the log."""
    open: bool = False
    """Whether the route needs no API key where the service requires keys."""
    scope: Scope = "classify"
    """What an API key must permit, unless the route is open."""
    headers: tuple[tuple[bytes, bytes], ...] = API_HEADERS
    """The headers of each answer, errors included."""
    refuse: Callable[[Problem, str], Response] = problem_json
    """Gives an error the shape that the clients of this route expect."""


def make_get_route(
    path: str,
    handler: Handler,
    operation: Operation,
    *,
    refuse: Callable[[Problem, str], Response],
    logged: bool = True,
) -> Route:
    """A GET route of a dialect, whose errors have the shape of ``refuse``.

    A route that is not ``logged`` is a probe, and needs no API key.
    """
    return Route(
        method="GET",
        path=path,
        handler=handler,
        operation=operation,
        logged=logged,
        open=not logged,
        refuse=refuse,
    )
