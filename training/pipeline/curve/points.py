"""The accuracy of the linear models after some, more, and all of the labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.classifier import to_probabilities
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration
from valence.training.corpora.archive import FetchError
from valence.training.corpora.example import Example
from valence.training.data.preparation import RawData, load_texts
from valence.training.data.split import Splits
from valence.training.metrics import bootstrap
from valence.training.metrics.definitions import MacroF1
from valence.training.metrics.predictions import Predictions
from valence.training.pipeline.selection.recipes import LINEAR, Recipe, list_linear_recipes
from valence.training.pipeline.selection.trials import Fold, try_recipe
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run

FOLDS = 3
_LEAST = 20  # labels of a point
_STEP = 2  # each point has so many times the labels of the point before
# More texts make a point no more exact than its width on a picture.
_MOST_JUDGED = 2_000
_MOST_LEARNT = 20_000


@dataclass(frozen=True, slots=True)
class Point:
    """What ``model`` reaches with so many ``labels``, in each fold."""

    model: str
    labels: int
    accuracies: tuple[float, ...]
    macro_f1: float

    @property
    def accuracy(self) -> float:
        """The mean of the folds."""
        return float(np.mean(self.accuracies))


def measure_points(configuration: Configuration, run: Run) -> Iterator[Point]:
    """The points of each linear recipe, from few labels to all; test texts are not used.

    In each fold a third of the texts, 2,000 at most, judges, and the others are learnt: a part of
    them, drawn at random, then a larger one that contains it. Raises :class:`ConfigurationError`
    for streamed files, for a text of several labels, and for too few texts.
    """
    raw = load_texts(configuration, run)
    if raw.source is not None or configuration.task == "multi_label":
        raise ConfigurationError(
            "the curve is for texts of one label that fit into memory; give a part of the files"
        )
    texts = (*raw.splits.train, *raw.splits.dev)
    if len(texts) < 3 * _LEAST:
        raise ConfigurationError(
            f"{len(texts)} labelled texts are too few for a curve; give {3 * _LEAST} or more"
        )
    recipes = [
        recipe
        for recipe in list_linear_recipes(configuration, "balanced", texts=len(texts))
        if "," not in recipe.name
    ]
    silent = replace(run, reporter=Reporter(quiet=True))
    order = np.random.default_rng(0).permutation(len(texts))
    for labels in list_sizes(len(texts) - len(texts) // FOLDS):
        folds = [_make_fold(texts, order, number, labels) for number in range(FOLDS)]
        for recipe in tuple(recipes):
            try:
                yield _measure(recipe, raw, folds, labels, silent)
            except FetchError as error:
                # the vectors of an encoder are a help that a machine without a network lacks
                if recipe.name == LINEAR:
                    raise
                recipes.remove(recipe)
                run.reporter.say(f"{recipe.name}: given up, {error}")


def list_sizes(most: int) -> list[int]:
    """The numbers of labels of the points: ``most``, a half of it, and so on down to few."""
    sizes = [min(most, _MOST_LEARNT)]
    while sizes[-1] // _STEP >= _LEAST:
        sizes.append(sizes[-1] // _STEP)
    return sizes[::-1]


def _make_fold(
    texts: Sequence[Example], order: NDArray[np.int64], number: int, labels: int
) -> Fold:
    parts = np.array_split(order, FOLDS)
    judged = parts.pop(number)[:_MOST_JUDGED]
    learnt = [texts[row] for row in np.concatenate(parts)[:labels].tolist()]
    # n-grams learn the dev texts too, so their share does not matter
    return Fold(
        Splits(
            train=tuple(learnt[1:]),
            dev=tuple(learnt[:1]),
            test=tuple(texts[row] for row in judged.tolist()),
        ),
        "test",
    )


def _measure(recipe: Recipe, raw: RawData, folds: Sequence[Fold], labels: int, run: Run) -> Point:
    accuracies, macro_f1 = [], []
    for answers in try_recipe(recipe, raw, folds, run):
        values = to_probabilities(answers.ngrams, temperature=1.0, task="single_label")
        accuracies.append(float((values.argmax(axis=1) == answers.truth).mean()))
        found = Predictions.from_probabilities(values, answers.truth)
        macro_f1.append(bootstrap.compute_value(MacroF1(), found))
    return Point(recipe.name, labels, tuple(accuracies), float(np.mean(macro_f1)))
