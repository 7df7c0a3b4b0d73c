"""The choice of the recipe for a user's own texts, the evidence for it, and what it costs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from valence.service.classifier.classifier import Logits, to_probabilities
from valence.service.classifier.manifest import Task
from valence.service.files.atomic_write import write_file
from valence.training.config import toml
from valence.training.config.schema import Configuration
from valence.training.data.preparation import RawData, load_texts
from valence.training.metrics import bootstrap, thresholds
from valence.training.metrics.definitions import MacroF1
from valence.training.metrics.predictions import Predictions
from valence.training.pipeline.selection.recipes import LINEAR, Quality, Recipe, list_recipes
from valence.training.pipeline.selection.trials import (
    Answers,
    remove_checkpoints,
    split_folds,
    try_recipe,
)
from valence.training.runtime import seeds
from valence.training.runtime.deadline import DeadlineReporter, OutOfTime
from valence.training.runtime.run import Run
from valence.training.trainer.model_sum import ModelSum, weigh_models

_HEADER = """\
# Chosen by `valence train --data`, which writes this file anew each time.
# To change a choice, copy this file and train the copy.

"""
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
        if not self.has_network:
            chosen = ngrams.model_copy(update={"alone": True})
            changes: dict[str, object] = {"ngrams": chosen, "distillation": None}
        elif self.weights.share == 0.0:
            changes = {"ngrams": None}
        else:
            changes = {"ngrams": ngrams.model_copy(update={"share": self.weights.share})}
        return self.recipe.configuration.model_copy(update=changes)

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
            return f"{LINEAR} model"
        if self.weights.share == 0.0:
            return self.recipe.name
        return f"{self.recipe.name} and {self.weights.share:.0%} n-grams"

    def predict(self) -> Predictions:
        """The predictions of the sum."""
        truth = self.answers.truth
        task: Task = "multi_label" if truth.ndim == 2 else "single_label"
        values = to_probabilities(self.logits, temperature=1.0, task=task)
        chosen = thresholds.choose_thresholds(values, truth) if truth.ndim == 2 else None
        return Predictions.from_probabilities(values, truth, thresholds=chosen)


def choose_configuration(
    base: Configuration, run: Run, *, quality: Quality, minutes: float | None = None
) -> Configuration:
    """``base`` with the settings of the best recipe of ``quality``, and the reasons in ``chosen``.

    The best has the likeliest labels, among the recipes whose macro-F1 is not clearly below that of
    the linear recipe. After ``minutes`` no further trial begins, and a network in training is given
    up. The linear recipe always has an answer. Test texts are not used.
    """
    seeds.repeat_exactly(run.device)
    end = math.inf if minutes is None else time.monotonic() + 60 * minutes
    raw = load_texts(base, run)
    if raw.source is not None:
        run.reporter.say("the files are streamed, so only the network is tried")
        return base
    texts = len(raw.splits.train) + len(raw.splits.dev)
    recipes = list_recipes(base, quality, texts=texts)
    if len(recipes) == 1:
        return recipes[0].configuration.model_copy(
            update={"chosen": (f"{recipes[0].name} model, as --quality {quality} asks for",)}
        )
    judged, given_up = _try_recipes(recipes, raw, run, end)
    remove_checkpoints(base, run)
    linear = next(one for one in judged if one.recipe.name == LINEAR)
    best = min((one for one in judged if _compare(linear, one).high >= 0), key=lambda one: one.loss)
    lines = (*_describe(best, linear, judged), *given_up)
    for line in lines:
        run.reporter.say(line)
    return best.configuration.model_copy(update={"chosen": lines})


def write_choice(path: Path, configuration: Configuration) -> None:
    """Write what was chosen to ``path``, so that `valence retrain` trains the same."""
    write_file(path, _HEADER + toml.format_toml(configuration.as_json()))


def _try_recipes(
    recipes: Sequence[Recipe], raw: RawData, run: Run, end: float
) -> tuple[list[Judged], list[str]]:
    """Each recipe that was tried in time, and a sentence for each that was not."""
    folds = split_folds(raw.splits)
    limited = replace(run, reporter=DeadlineReporter(run.reporter, end))
    found: list[tuple[Recipe, list[Answers]]] = []
    given_up = []
    for recipe in recipes:
        run.reporter.say(f"{recipe.name}: {len(folds)} trials")
        answers = list(_answer_in_time(try_recipe(recipe, raw, folds, limited), end, recipe))
        if answers:
            found.append((recipe, answers))
        else:
            given_up.append(f"{recipe.name}: given up, the time was over; give more --minutes")
    # recipes are compared on the texts that all of them have answered
    common = min(len(answers) for _, answers in found)
    return [_judge(recipe, _join(answers[:common])) for recipe, answers in found], given_up


def _answer_in_time(trials: Iterator[Answers], end: float, recipe: Recipe) -> Iterator[Answers]:
    """The answers of trials that end in time; those of the linear recipe in any case."""
    try:
        for answers in trials:
            yield answers
            if recipe.has_network and time.monotonic() + answers.seconds >= end:
                return
    except OutOfTime:
        return


def _join(answers: Sequence[Answers]) -> Answers:
    networks = [one.network for one in answers if one.network is not None]
    return Answers(
        np.concatenate([one.ngrams for one in answers]),
        np.concatenate(networks) if networks else None,
        np.concatenate([one.truth for one in answers]),
        sum(one.seconds for one in answers),
        answers[0].microseconds,
    )


def _judge(recipe: Recipe, answers: Answers) -> Judged:
    weights = weigh_models(answers.network, answers.ngrams, answers.truth)
    logits = weights.add(answers.network, answers.ngrams)
    return Judged(recipe, answers, weights, logits, weights.loss)


def _compare(linear: Judged, other: Judged) -> bootstrap.Difference:
    """How the macro-F1 of ``other`` compares with that of the ``linear`` recipe."""
    return bootstrap.estimate_difference(MacroF1(), linear.predict(), other.predict(), _RESAMPLING)


def _describe(best: Judged, linear: Judged, judged: Sequence[Judged]) -> Iterator[str]:
    """The verdict first; then a line for each recipe."""
    scores = [bootstrap.compute_value(MacroF1(), one.predict()) for one in (best, linear)]
    texts = f"{len(best.answers):,} texts that were not learnt"
    if not best.has_network:
        others = [one for one in judged if one is not best]
        rival = min(others, key=lambda one: one.loss, default=None)
        line = f"best on these data: the {best.title}, macro-F1 {scores[0]:.3f} on {texts}"
        line += f"; {best.microseconds:.0f} microseconds a text"
        if rival is not None:
            line += f"; a {rival.recipe.name} gains nothing"
        yield line
    else:
        gain = _compare(linear, best)
        clear = "better than" if gain.low > 0 else "no worse than"
        yield (
            f"best on these data: {best.title}, macro-F1 {scores[0]:.3f}, {clear} the linear "
            f"model's {scores[1]:.3f} (difference {gain.value:+.3f}, 95 % interval {gain.low:+.3f} "
            f"to {gain.high:+.3f}) on {texts}; {best.microseconds:.0f} microseconds a text, the "
            f"linear model {linear.microseconds:.0f}"
        )
    for one in judged:
        score = bootstrap.compute_value(MacroF1(), one.predict())
        yield (
            f"{one.recipe.name}: {one.title}, macro-F1 {score:.3f}, log loss {one.loss:.3f}, "
            f"{one.answers.seconds:.0f} s of trials"
        )
