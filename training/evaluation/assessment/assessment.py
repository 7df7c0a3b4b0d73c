"""All that is said of a model's answers to labelled texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import binomtest
from valence.service.classifier.artifact import Artifact
from valence.training.behaviour.case_result import Capability
from valence.training.evaluation.assessment.selective import Selective, selective
from valence.training.evaluation.assessment.texts import Texts
from valence.training.evaluation.slices import Slice, slices
from valence.training.metrics.bootstrap import Resampling, difference, interval, value
from valence.training.metrics.definitions import FIGURES, bounds, right
from valence.training.metrics.predictions import Answers, MicroF1
from valence.training.metrics.scores import Evaluation

# values of a column that get a slice of their own; what is rarer is one slice together
MOST_VALUES = 20
_LONGEST_VALUE = 60
_OF_A_SLICE = Resampling(draws=1_000)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class SliceScore(_Part):
    """A kind of texts: how many, the share given the right label (F1 of a label), its interval."""

    kind: str
    name: str
    texts: int
    value: float
    low: float
    high: float
    against: float | None = None


class Change(_Part):
    """A figure of the model less the other's, and where 95 of 100 bootstrap samples of it lie."""

    other: float
    value: float
    low: float
    high: float


class Comparison(_Part):
    """The model beside another, on the same texts.

    ``only_model`` and ``only_other`` count the texts that one alone got right; ``mcnemar_p`` is the
    probability of so uneven a count, or a more uneven one, if both were as good (Q. McNemar 1947;
    the exact, two-sided test).
    """

    other: str
    changes: dict[str, Change]
    only_model: int
    only_other: int
    mcnemar_p: float


class Assessment(_Part):
    """A model's answers to the texts called ``data``."""

    model: str
    data: str
    evaluation: Evaluation
    intervals: dict[str, tuple[float, float]]
    slices: tuple[SliceScore, ...]
    selective: Selective
    behaviour: tuple[Capability, ...] = ()
    comparison: Comparison | None = None


def assess(
    texts: Texts,
    answers: Answers,
    evaluation: Evaluation,
    *,
    model: Artifact,
    against: tuple[str, Answers] | None = None,
    behaviour: Sequence[Capability] = (),
) -> Assessment:
    """Judge ``answers`` to ``texts``, beside those of another model by its tag, if given.

    Both in the order of the manifest's labels. ``behaviour`` is what its tests found.
    """
    manifest = model.manifest
    kinds = [
        *slices(texts.examples, labels=manifest.labels, vocabulary=model.vocabulary),
        *(part for name, values in texts.columns.items() for part in _by_value(name, values)),
    ]
    return Assessment(
        model=f"{manifest.name}:{manifest.version}",
        data=texts.name,
        evaluation=evaluation,
        intervals=bounds(answers),
        slices=tuple(_score(part, answers, against and against[1]) for part in kinds),
        selective=selective(answers),
        behaviour=tuple(behaviour),
        comparison=None if against is None else compare(answers, *against),
    )


def compare(answers: Answers, tag: str, other: Answers) -> Comparison:
    """``answers`` beside those of the model ``tag`` to the same texts."""
    changes = {}
    for name, figure in FIGURES.items():
        found = difference(figure, other, answers)
        value = float(figure.value(figure.columns(other).sum(axis=0)))
        changes[name] = Change(other=value, value=found.value, low=found.low, high=found.high)
    ours, theirs = right(answers) == 1, right(other) == 1
    only_model, only_other = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return Comparison(
        other=tag,
        changes=changes,
        only_model=only_model,
        only_other=only_other,
        mcnemar_p=mcnemar(only_model, only_other),
    )


def mcnemar(first: int, second: int) -> float:
    """The exact two-sided p where one model alone got ``first`` texts right, one ``second``."""
    if first + second == 0:
        return 1.0
    return float(binomtest(first, first + second, 0.5).pvalue)


def _by_value(column: str, values: Sequence[str]) -> list[Slice]:
    counts = Counter(values)
    named = [value for value, _ in counts.most_common(MOST_VALUES)]
    array = np.array(values, dtype=object)
    masks: Mapping[str, np.ndarray] = {value: array == value for value in named}
    found = [
        Slice(column, value[:_LONGEST_VALUE] or "(empty)", mask, mask, MicroF1())
        for value, mask in masks.items()
    ]
    rest = len(counts) - len(named)
    if rest:
        mask = ~np.isin(array, named)
        found.append(Slice(column, f"{rest:,} rarer ones", mask, mask, MicroF1()))
    return found


def _score(part: Slice, answers: Answers, other: Answers | None) -> SliceScore:
    judged = answers.take(part.judged)
    found = interval(part.figure, judged, _OF_A_SLICE)
    against = None
    if other is not None:
        against = value(part.figure, other.take(part.judged))
    return SliceScore(
        kind=part.kind,
        name=part.name,
        texts=part.size,
        value=found.value,
        low=found.low,
        high=found.high,
        against=against,
    )
