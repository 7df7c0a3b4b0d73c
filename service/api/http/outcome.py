"""What a handler returns: a response, and what metrics, log and span say about the request."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from starlette.types import ASGIApp
from valence.service.inference.scored import Scored, Stages, TotalUsage
from valence.service.inference.scorer import Scorer


class TextCounts(Protocol):
    """How many texts were scored, and their tokens; a stream counts while it is written."""

    @property
    def texts(self) -> int:
        """Texts that have a result."""

    @property
    def tokens(self) -> int:
        """The tokens of these texts."""


NO_TEXTS = TotalUsage()


class Outcome(NamedTuple):
    """The response of a handler, the model that made it, and what was scored."""

    response: ASGIApp
    model: str = ""
    version: str = ""
    usage: TextCounts = NO_TEXTS
    stages: Stages | None = None

    @classmethod
    def of(cls, response: ASGIApp, scorer: Scorer, scored: Scored) -> Outcome:
        """The outcome of a request that ``scorer`` answered."""
        return cls(response, scorer.name, scorer.version, scored.usage, scored.stages)


class ModelFailure(Exception):
    """An ``error`` of a request whose model was known, for the metrics and the log."""

    def __init__(self, error: Exception, scorer: Scorer) -> None:
        super().__init__(str(error))
        self.error = error
        self.model = scorer.name
        self.version = scorer.version
