"""The choice of the recipe for a user's own texts, the evidence for it, and what it costs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from valence.service.files.atomic_write import write_file
from valence.training.config import toml
from valence.training.config.schema import Configuration
from valence.training.corpora.archive import FetchError
from valence.training.data.preparation import RawData, load_texts
from valence.training.pipeline.selection.judgement import (
    Judged,
    choose_best,
    describe_choice,
    judge_recipe,
)
from valence.training.pipeline.selection.recipes import (
    LINEAR,
    Quality,
    Recipe,
    list_further_recipes,
    list_linear_recipes,
)
from valence.training.pipeline.selection.trials import (
    Answers,
    remove_checkpoints,
    split_folds,
    try_recipe,
)
from valence.training.runtime import seeds
from valence.training.runtime.deadline import DeadlineReporter, OutOfTime
from valence.training.runtime.run import Run

_HEADER = """\
# Chosen by `valence train --data`, which writes this file anew each time.
# To change a choice, copy this file and train the copy.

"""
_LATE = "given up, the time was over; give more --minutes"


def choose_configuration(
    base: Configuration, run: Run, *, quality: Quality, minutes: float | None = None
) -> Configuration:
    """``base`` with the settings of the best recipe of ``quality``, and the reasons in ``chosen``.

    The best has the likeliest labels, among the recipes whose macro-F1 is not below that of the
    linear recipe. After ``minutes`` no further trial begins, and a network in training is given
    up. The linear recipe always has an answer. Test texts are not used.
    """
    seeds.repeat_exactly(run.device)
    end = math.inf if minutes is None else time.monotonic() + 60 * minutes
    raw = load_texts(base, run)
    if raw.source is not None:
        run.reporter.say("the files are streamed, so only the network is tried")
        return base
    texts = len(raw.splits.train) + len(raw.splits.dev)
    recipes = list_linear_recipes(base, quality, texts=texts)
    if len(recipes) == 1:
        return recipes[0].settled.model_copy(
            update={"chosen": (f"{recipes[0].name} model, as --quality {quality} asks for",)}
        )
    trials = Trials(raw, run, end)
    trials.try_recipes(recipes)
    leader = min(trials.judge(), key=lambda one: one.loss)
    trials.try_recipes(list_further_recipes(leader.recipe, quality, texts=texts))
    judged = trials.judge()
    remove_checkpoints(base, run)
    best = choose_best(judged)
    lines = (*describe_choice(best, judged), *trials.given_up)
    for line in lines:
        run.reporter.say(line)
    return best.configuration.model_copy(update={"chosen": lines})


def write_choice(path: Path, configuration: Configuration) -> None:
    """Write what was chosen to ``path``, so that `valence retrain` trains the same."""
    write_file(path, _HEADER + toml.format_toml(configuration.as_json()))


class Trials:
    """The recipes that were tried in time, and a sentence for each that was not."""

    def __init__(self, raw: RawData, run: Run, end: float) -> None:
        self._raw, self._run, self._end = raw, run, end
        self._folds = split_folds(raw.splits)
        self._found: list[tuple[Recipe, list[Answers]]] = []
        self.given_up: list[str] = []

    def try_recipes(self, recipes: Sequence[Recipe]) -> None:
        """Try each of ``recipes``, after those that were tried before."""
        run, end = self._run, self._end
        limited = replace(run, reporter=DeadlineReporter(run.reporter, end))
        for recipe in recipes:
            if self._found and time.monotonic() >= end:
                self.given_up.append(f"{recipe.name}: {_LATE}")
                continue
            run.reporter.say(f"{recipe.name}: {len(self._folds)} trials")
            trials = try_recipe(recipe, self._raw, self._folds, limited)
            try:
                answers = list(_answer_in_time(trials, end, recipe))
            except FetchError as error:
                # the vectors of an encoder are a help that a machine without a network lacks
                if recipe.name == LINEAR:
                    raise
                self.given_up.append(f"{recipe.name}: given up, {error}")
                continue
            if answers:
                self._found.append((recipe, answers))
            else:
                self.given_up.append(f"{recipe.name}: {_LATE}")

    def judge(self) -> list[Judged]:
        """All recipes, compared on the texts that all of them have answered."""
        common = min(len(answers) for _, answers in self._found)
        return [judge_recipe(recipe, answers[:common]) for recipe, answers in self._found]


def _answer_in_time(trials: Iterator[Answers], end: float, recipe: Recipe) -> Iterator[Answers]:
    """The answers of trials that end in time; those of the linear recipe in any case."""
    try:
        for answers in trials:
            yield answers
            if recipe.has_network and time.monotonic() + answers.seconds >= end:
                return
    except OutOfTime:
        return
