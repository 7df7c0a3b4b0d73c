"""What is known of each recipe that was tried, and the sentences of the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.classifier import Logits, to_probabilities
from valence.service.classifier.manifest import Task
from valence.training.config.schema import Configuration
from valence.training.metrics import bootstrap, thresholds
from valence.training.metrics.bootstrap import Difference
from valence.training.metrics.definitions import MacroF1
from valence.training.metrics.predictions import Floats, Predictions
from valence.training.pipeline.selection.recipes import LINEAR, VECTORS, Recipe
from valence.training.pipeline.selection.trials import Answers
from valence.training.trainer.model_sum import ModelSum, weigh_models

_RESAMPLING = bootstrap.Resampling(draws=1_000)


@dataclass(frozen=True, slots=True)
class Judged:
    """A recipe that was tried: its answers, their best sum, and the predictions of the sum."""

    recipe: Recipe
    answers: Answers
    weights: ModelSum
    logits: Logits
    loss: float

    @property
    def has_network(self) -> bool:
        """Whether the network has a part in the sum."""
        return self.answers.network is not None and self.weights.share < 1.0

    @property
    def configuration(self) -> Configuration:
        """The settings of the sum."""
        ngrams = self.recipe.configuration.ngrams
        assert ngrams is not None  # noqa: S101 - every recipe has n-grams
        if not self.recipe.has_network:
            return self.recipe.settled
        if not self.has_network:
            chosen = ngrams.model_copy(update={"alone": True})
            changes: dict[str, object] = {
                "ngrams": chosen,
                "distillation": None,
                "unlabelled": None,
            }
        elif self.weights.share == 0.0:
            changes = {"ngrams": None}
        else:
            changes = {"ngrams": ngrams.model_copy(update={"share": self.weights.share})}
        return self.recipe.settled.model_copy(update=changes)

    @property
    def microseconds(self) -> float:
        """What a text costs the engine that would serve the sum."""
        ngrams, network = self.answers.microseconds
        parts = (ngrams if self.weights.share else 0.0, network if self.has_network else 0.0)
        return sum(parts)

    @property
    def title(self) -> str:
        """What the classifier is, for the report."""
        if not self.has_network:
            kind = f"{VECTORS if self.recipe.has_vectors else LINEAR} model"
            taught = self.configuration.distillation
            return kind if taught is None else f"{kind}, taught by {' and '.join(taught.teacher)}"
        if self.weights.share == 0.0:
            return self.recipe.name
        return f"{self.recipe.name} and {self.weights.share:.0%} n-grams"

    def predict(self) -> Predictions:
        """The predictions of the sum."""
        truth = self.answers.truth
        task: Task = "multi_label" if truth.ndim == 2 else "single_label"
        return _make_predictions(to_probabilities(self.logits, temperature=1.0, task=task), truth)


def _join(answers: Sequence[Answers]) -> Answers:
    networks = [one.network for one in answers if one.network is not None]
    teachers = [one.teacher for one in answers if one.teacher is not None]
    return Answers(
        np.concatenate([one.ngrams for one in answers]),
        np.concatenate(networks) if networks else None,
        np.concatenate([one.truth for one in answers]),
        sum(one.seconds for one in answers),
        answers[0].microseconds,
        np.concatenate(teachers) if teachers else None,
    )


def judge_recipe(recipe: Recipe, trials: Sequence[Answers]) -> Judged:
    """``recipe`` by its answers in all ``trials``."""
    answers = _join(trials)
    weights = weigh_models(answers.network, answers.ngrams, answers.truth)
    logits = weights.add(answers.network, answers.ngrams)
    return Judged(recipe, answers, weights, logits, weights.loss)


def compare_with_linear(linear: Judged, other: Judged) -> Difference:
    """How the macro-F1 of ``other`` compares with that of the ``linear`` recipe."""
    return bootstrap.estimate_difference(MacroF1(), linear.predict(), other.predict(), _RESAMPLING)


def choose_best(judged: Sequence[Judged]) -> Judged:
    """The recipe with the likeliest labels, among those with no less macro-F1 than the linear one.

    So few texts, whose likelihoods say little, do not choose what names labels wrong more often.
    """
    linear = next(one for one in judged if one.recipe.name == LINEAR)
    return min(
        (one for one in judged if compare_with_linear(linear, one).value >= 0),
        key=lambda one: one.loss,
    )


def describe_choice(best: Judged, judged: Sequence[Judged]) -> Iterator[str]:
    """The verdict on each kind of model first; then a line for each recipe."""
    verdict = (
        f"best on these data: {best.title}, macro-F1 {_score(best.predict()):.3f} on "
        f"{len(best.answers):,} texts that were not learnt, {best.microseconds:.0f} microseconds a "
        "text"
    )
    rivals = [
        f"{one.title} {_score(one.predict()):.3f} ({_tell_difference(best, one.predict())}), "
        f"{one.microseconds:.0f} microseconds"
        for one in _list_kinds(judged)
        if one is not best and one.title != best.title
    ]
    rivals += [
        f"{title} {_score(found):.3f} ({_tell_difference(best, found)}), which no engine serves"
        for title, found in dict(_list_teachers(judged)).items()
    ]
    yield "; ".join((verdict, *rivals))
    for one in judged:
        yield (
            f"{one.recipe.name}: {one.title}, macro-F1 {_score(one.predict()):.3f}, log loss "
            f"{one.loss:.3f}, {one.answers.seconds:.0f} s of trials"
        )


def _list_kinds(judged: Sequence[Judged]) -> list[Judged]:
    """The likeliest of each kind: linear, with vectors, taught, and with a network."""
    kinds: dict[tuple[bool, ...], Judged] = {}
    for one in judged:
        recipe, network = one.recipe, one.recipe.has_network
        taught = recipe.configuration.distillation is not None
        kind = (network, recipe.has_vectors and not network, taught)
        kinds[kind] = min((kinds.get(kind, one), one), key=lambda other: other.loss)
    return list(kinds.values())


def _list_teachers(judged: Sequence[Judged]) -> Iterator[tuple[str, Predictions]]:
    """The encoders that taught a network alone, and their predictions for the same texts."""
    for one in judged:
        settings, answers = one.recipe.configuration.distillation, one.answers
        if settings is not None and answers.teacher is not None:
            yield (
                f"the tuned encoder {settings.teacher[0]}",
                _make_predictions(answers.teacher, answers.truth),
            )


def _score(predictions: Predictions) -> float:
    return bootstrap.compute_value(MacroF1(), predictions)


def _tell_difference(best: Judged, other: Predictions) -> str:
    """How the macro-F1 of ``other`` differs from that of ``best``."""
    found = bootstrap.estimate_difference(MacroF1(), best.predict(), other, _RESAMPLING)
    return f"{found.value:+.3f}, 95 % interval {found.low:+.3f} to {found.high:+.3f}"


def _make_predictions(values: Floats, truth: NDArray[np.int64]) -> Predictions:
    chosen = thresholds.choose_thresholds(values, truth) if truth.ndim == 2 else None
    return Predictions.from_probabilities(values, truth, thresholds=chosen)
