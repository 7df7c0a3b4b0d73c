"""What a client gives for the texts of a call, and what it may be asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from valence.service.api.v1.schemas import ItemError, ModelName, Result, TotalUsage
from valence.service.classifier.result import Unreadable
from valence.service.classifier.truncation import Truncation


class Options(TypedDict, total=False):
    """The options of ``POST /v1/classify``; ``explain`` has a method of its own."""

    model: str
    top_k: int
    min_confidence: float
    unreadable: Unreadable
    truncation: Truncation
    granularity: Literal["document", "sentence"]


@dataclass(frozen=True)
class Answer:
    """The answer to a call, whatever number of requests the call took.

    ``results`` has an entry for each text, in order; None for a text that ``errors`` names by its
    index. ``models`` are the versions that answered: more than one if the service took another
    version between two requests.
    """

    results: Sequence[Result | None]
    errors: Sequence[ItemError]
    models: Sequence[ModelName]
    usage: TotalUsage
    prediction_ids: Sequence[str] = ()
    """The id of the prediction of each text, for feedback; "" for a text without a result."""

    @property
    def labels(self) -> list[str | None]:
        """The label of each text; None for a text without a result."""
        return [None if result is None else result.label for result in self.results]

    @property
    def result(self) -> Result:
        """The result of the only text.

        Raises ``ValueError`` for another number of texts, and for a text without a result.
        """
        (result,) = self.results
        if result is None:
            raise ValueError(self.errors[0].detail)
        return result


# unlike the answer to a request, that of a client may be to no texts
NOTHING = TotalUsage.model_construct(
    texts=0, characters=0, tokens=0, tokens_used=0, unknown_tokens=0, truncated_texts=0
)


def join_answers(parts: Iterable[Answer]) -> Answer:
    """The answers of several requests, in order, as one."""
    results: list[Result | None] = []
    errors: list[ItemError] = []
    models: list[ModelName] = []
    prediction_ids: list[str] = []
    counts = dict(NOTHING)
    for part in parts:
        results += part.results
        errors += part.errors
        prediction_ids += part.prediction_ids
        models += [model for model in part.models if model not in models]
        for name, count in part.usage:
            counts[name] += count
    return Answer(results, errors, models, NOTHING.model_copy(update=counts), prediction_ids)


def list_prediction_ids(name: str, results: Sequence[Result | None]) -> list[str]:
    """The id of each of ``results``, of an answer with the id ``name``."""
    if len(results) == 1 or not name:
        return [name] * len(results)
    return ["" if result is None else f"{name}.{place}" for place, result in enumerate(results)]


def list_items(answer: Answer) -> Iterator[Result | ItemError]:
    """The result or the error of each text, in order."""
    errors = {error.index: error for error in answer.errors}
    rest = iter(sorted(errors))
    for result in answer.results:
        yield errors[next(rest)] if result is None else result
