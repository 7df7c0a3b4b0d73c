"""Explanations and activations of texts, through the queue of the model that scores them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Sized
from itertools import chain, islice
from typing import TypeVar

from valence.service.classifier.classifier import Classifier, Prediction
from valence.service.errors import InvalidRequest
from valence.service.inference import long_texts
from valence.service.inference.batcher import Batcher
from valence.service.inference.engines.interface import Engine
from valence.service.inference.explain.explainer import (
    Explainer,
    Explanation,
    TextActivations,
    find_places,
)
from valence.service.inference.long_texts import SplitText
from valence.service.inference.request_cost import RequestCost
from valence.service.inference.scored import ScoreRequest
from valence.service.inference.turns import Turns
from valence.service.inference.waiting import wait_for_answers

Query = TypeVar("Query", bound=Sized)
Answer = TypeVar("Answer")


class Explanations:
    """Explains texts for one classifier; the work waits in the queue of ``batcher``."""

    def __init__(
        self, classifier: Classifier, engine: Engine, batcher: Batcher[Prediction]
    ) -> None:
        self._classifier = classifier
        self._batcher = batcher
        self._explainer = Explainer(classifier, engine)

    async def explain(
        self,
        request: ScoreRequest,
        texts: Sequence[SplitText],
        predictions: Sequence[Prediction],
        turns: Turns,
    ) -> tuple[list[Explanation], int]:
        """An explanation of each of ``texts``, and what they cost in tokens of the engine."""
        explainer, rules = self._explainer, self._classifier.artifact.vocabulary.rules
        labels = [prediction.label for prediction in predictions]
        questions_by_text = [
            explainer.questions(text.whole, label)
            for text, label in zip(texts, labels, strict=True)
        ]
        asked = list(chain.from_iterable(questions_by_text))
        answers = iter(await self._compute(explainer.attribute, asked, request))
        explanations = []
        for text, label, questions in zip(texts, labels, questions_by_text, strict=True):
            contributions = list(islice(answers, len(questions)))
            places = await turns.run(find_places(text.text, text.known, rules))
            explanations.append(
                explainer.explanation(places, label, request.truncation, contributions)
            )
            await turns.give()
        return explanations, sum(map(len, asked))

    async def show_activations(
        self, request: ScoreRequest, cost: RequestCost, *, max_units: int
    ) -> TextActivations:
        """The ``max_units`` units that tell most about the one text of ``request``.

        Their numbers are added to ``cost``. Raises :class:`InvalidRequest` for a model that has no
        units.
        """
        explainer, manifest = self._explainer, self._classifier.manifest
        if not manifest.architecture.layers:
            raise InvalidRequest(
                f"{manifest.name}: the model is linear over n-grams and has no units; ask for "
                '"explain": true instead, which is exact for such a model'
            )
        (text,) = request.texts
        encoded = await long_texts.encode(
            self._classifier, text, Turns(request.deadline), max_tokens=manifest.max_tokens
        )
        reading = self._classifier.select_windows(text, encoded, "head")
        architecture = manifest.architecture
        units = min(max_units, architecture.directions * architecture.hidden_size)
        cost.add_numbers(units * reading.usage.tokens_used)
        cost.hold(request.hold)
        questions = explainer.questions(reading, manifest.labels[0])
        (activations,) = await self._compute(explainer.activate, questions, request)
        ranked = explainer.rank_units(text, activations, max_units=max_units)
        return ranked._replace(cost=sum(map(len, questions)))

    async def _compute(
        self,
        work: Callable[[list[Query]], Sequence[Answer]],
        queries: Sequence[Query],
        request: ScoreRequest,
    ) -> list[Answer]:
        """What ``work`` answers to ``queries``, after their wait in the queue."""
        ticket = self._batcher.submit_work(
            work, queries, within_seconds=request.deadline - time.perf_counter()
        )
        return await wait_for_answers(self._batcher, ticket, request)
