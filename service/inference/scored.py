"""What is asked about texts, and the answer: a result or a fault for each text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import lt
from typing import NamedTuple

from valence.service.classifier.classifier import Prediction, Usage
from valence.service.classifier.truncation import Truncation
from valence.service.errors import TextTooLong
from valence.service.inference.explain.explainer import Explanation


class Sentence(NamedTuple):
    """A sentence of a text, ``text[start:end]``, scored as if it were the whole text."""

    start: int
    end: int
    prediction: Prediction
    usage: Usage


def _hold_nothing(count: int) -> None:
    """Count no memory: what a request holds that does not come over HTTP."""


class ScoreRequest(NamedTuple):
    """Texts to score, how, and how long their answer is waited for."""

    texts: Sequence[str]
    truncation: Truncation = "head"
    """Which tokens are read of a text that is longer than the model reads."""
    sentences: bool = False
    """Whether each sentence of a text is scored too."""
    explain: bool = False
    """Whether the contribution of each token to the label is computed."""
    partial: bool = False
    """Whether the other texts are scored when ``truncation`` refuses some of them."""
    deadline: float = math.inf
    """When the answer is no longer waited for, in seconds of ``time.perf_counter``."""
    disconnect: Callable[[], AbstractContextManager[None]] = nullcontext
    """Makes a context that ends the wait within it when the client disconnects."""
    scores: int = 0
    """The number of labels in each result of the answer; 0 means all."""
    hold: Callable[[int], None] = _hold_nothing
    """Counts bytes that the request holds until it is answered; raises :class:`Overloaded`."""
    charge: Callable[[int], None] | None = None
    """Takes the tokens that enter the queue from the rate of an API key."""
    shadow: bool = False
    """Whether nobody is given the answer: then neither the cache nor the counts of texts and labels
    know of it."""

    def wait(
        self,
        deadline: float,
        disconnect: Callable[[], AbstractContextManager[None]],
        hold: Callable[[int], None],
        charge: Callable[[int], None] | None,
    ) -> ScoreRequest:
        """The same request with these waits, memory and rate; cheaper than ``_replace``."""
        return ScoreRequest._make(
            (*self[:5], deadline, disconnect, self.scores, hold, charge, self.shadow)
        )


Answer = tuple[Prediction, Usage]
"""The result of one text: a plain pair, because a thousand of them are made for a request."""


class TotalUsage(NamedTuple):
    """What was read of all texts of a request."""

    texts: int = 0
    characters: int = 0
    tokens: int = 0
    tokens_used: int = 0
    unknown_tokens: int = 0
    truncated_texts: int = 0


class Stages(NamedTuple):
    """Seconds that a request spent in each stage; all are 0 for answers from the cache."""

    tokenize: float = 0.0
    queue: float = 0.0
    infer: float = 0.0


class Scored(NamedTuple):
    """The answer to a request: a result or a fault for each text, in order.

    Only ``partial`` requests have faults. ``usage`` counts the texts that have results.
    """

    answers: Sequence[Answer | TextTooLong]
    usage: TotalUsage
    stages: Stages
    sentences: Sequence[Sequence[Sentence]] = ()
    """The sentences of each text that has a result, if they are asked for."""
    explanations: Sequence[Explanation] = ()
    """The explanation of each text that has a result, if they are asked for."""
    cost: int = 0
    """The tokens of the texts, and those that the engine read more than once.

    Windows overlap, a sentence is read besides its text, and an explanation costs several readings.
    Texts whose answers were in the cache cost nothing.
    """
    deadline: float = math.inf
    """When the rest of a long work, such as writing the answer, is to be given up."""
    engine_seconds: float = 0.0
    """The processor time of the engine for these texts alone; 0 where it is not known: nobody
    observes the model, the engine read sentences too, or the cache had some of the answers."""

    @property
    def predictions(self) -> list[Prediction]:
        """The predictions of the texts that have results, in order."""
        return [answer[0] for answer in self.answers if isinstance(answer, tuple)]

    @property
    def usages(self) -> list[Usage]:
        """What was read of the texts that have results, in order."""
        return [answer[1] for answer in self.answers if isinstance(answer, tuple)]


def sum_usages(usages: Sequence[Usage]) -> TotalUsage:
    """The sums of ``usages``, one for each text."""
    if len(usages) == 1:
        only = usages[0]
        return TotalUsage(1, *only[:4], int(only.tokens_used < only.tokens))
    if not usages:
        return TotalUsage()
    # one column at a time: with a thousand texts, the sums hold the event loop
    characters, tokens, used, unknown, _, _ = zip(*usages, strict=True)
    return TotalUsage(
        texts=len(usages),
        characters=sum(characters),
        tokens=sum(tokens),
        tokens_used=sum(used),
        unknown_tokens=sum(unknown),
        truncated_texts=sum(map(lt, used, tokens)),
    )
