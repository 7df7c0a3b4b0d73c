"""What a handler returns: a response, and what metrics, log and span say about the request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from starlette.types import ASGIApp
from valence.service.errors import TextTooLong
from valence.service.inference.scored import Answer, Scored, Stages, TotalUsage
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
    answers: Sequence[Answer | TextTooLong] = ()
    """The answers to the texts, of which the id of the prediction is made."""
    prediction_id: str = ""
    """The id of the prediction, if the handler has made it."""

    @classmethod
    def of(
        cls, response: ASGIApp, scorer: Scorer, scored: Scored, prediction_id: str = ""
    ) -> Outcome:
        """The outcome of a request that ``scorer`` answered."""
        return cls(
            response,
            scorer.name,
            scorer.version,
            scored.usage,
            scored.stages,
            scored.answers,
            prediction_id,
        )


class ModelFailure(Exception):
    """An ``error`` of a request whose model was known, for the metrics and the log."""

    def __init__(self, error: Exception, scorer: Scorer) -> None:
        super().__init__(str(error))
        self.error = error
        self.model = scorer.name
        self.version = scorer.version
