"""The assessment of a model's predictions for labelled texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import binomtest
from valence.service.classifier.artifact import Artifact
from valence.training.behaviour.capability import Capability
from valence.training.evaluation.assessment.outside import OutsideAssessment
from valence.training.evaluation.assessment.selective_prediction import (
    SelectivePrediction,
    measure_selective_prediction,
)
from valence.training.evaluation.assessment.texts import EvaluationTexts
from valence.training.evaluation.slices import Slice, make_slices
from valence.training.metrics.bootstrap import (
    Resampling,
    compute_value,
    estimate_bounds,
    estimate_difference,
    estimate_interval,
)
from valence.training.metrics.definitions import METRICS, MicroF1, mark_correct
from valence.training.metrics.predictions import Predictions
from valence.training.metrics.scores import Evaluation

# values of a column with a slice of their own; rarer values share one slice
MAX_VALUES = 20
_MAX_VALUE_LENGTH = 60
_SLICE_RESAMPLING = Resampling(draws=1_000)


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True)


class SliceScore(_FrozenModel):
    """The score of a slice with its interval: accuracy or micro-F1; for a label, its F1.

    ``texts`` is the number of texts, ``against`` the score of another model.
    """

    kind: str
    name: str
    texts: int
    value: float
    low: float
    high: float
    against: float | None = None


class Change(_FrozenModel):
    """A metric of the model minus that of the other model, with its 95 % interval.

    ``other`` is the metric of the other model.
    """

    other: float
    value: float
    low: float
    high: float


class Comparison(_FrozenModel):
    """The comparison with another model on the same texts.

    ``only_model`` and ``only_other`` count the texts that only one model labels correctly.
    ``mcnemar_p`` is the probability of a count that is at least as uneven if both models are
    equally good (Q. McNemar 1947; the exact, two-sided test).
    """

    other: str
    changes: dict[str, Change]
    only_model: int
    only_other: int
    mcnemar_p: float


class Assessment(_FrozenModel):
    """The assessment of a model on the texts called ``data``."""

    model: str
    data: str
    evaluation: Evaluation
    intervals: dict[str, tuple[float, float]]
    slices: tuple[SliceScore, ...]
    selective: SelectivePrediction
    behaviour: tuple[Capability, ...] = ()
    comparison: Comparison | None = None
    outside: OutsideAssessment | None = None
    recorded_accuracy: float | None = None
    """On the held-out texts of the training, as the manifest has it; None for these texts."""


def assess_predictions(
    texts: EvaluationTexts,
    predictions: Predictions,
    evaluation: Evaluation,
    *,
    model: Artifact,
    against: tuple[str, Predictions] | None = None,
    behaviour: Sequence[Capability] = (),
) -> Assessment:
    """Assess ``predictions`` for ``texts``.

    ``against`` is the tag of another model with its predictions for the same texts. All predictions
    are in the order of the manifest's labels. ``behaviour`` holds the results of behavioural tests.
    """
    manifest = model.manifest
    slices = [
        *make_slices(texts.examples, labels=manifest.labels, vocabulary=model.vocabulary),
        *(
            column_slice
            for name, values in texts.columns.items()
            for column_slice in _slice_by_value(name, values)
        ),
    ]
    return Assessment(
        model=f"{manifest.name}:{manifest.version}",
        data=texts.name,
        evaluation=evaluation,
        intervals=estimate_bounds(predictions),
        slices=tuple(
            _score_slice(slice_, predictions, against and against[1]) for slice_ in slices
        ),
        selective=measure_selective_prediction(predictions),
        behaviour=tuple(behaviour),
        comparison=None if against is None else compare_predictions(predictions, *against),
    )


def compare_predictions(predictions: Predictions, tag: str, other: Predictions) -> Comparison:
    """Compare ``predictions`` with those of the model ``tag`` for the same texts."""
    changes = {}
    for name, metric in METRICS.items():
        difference = estimate_difference(metric, other, predictions)
        changes[name] = Change(
            other=compute_value(metric, other),
            value=difference.value,
            low=difference.low,
            high=difference.high,
        )
    ours, theirs = mark_correct(predictions) == 1, mark_correct(other) == 1
    only_model, only_other = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return Comparison(
        other=tag,
        changes=changes,
        only_model=only_model,
        only_other=only_other,
        mcnemar_p=compute_mcnemar_p(only_model, only_other),
    )


def compute_mcnemar_p(first: int, second: int) -> float:
    """The exact two-sided p.

    ``first`` and ``second`` count the texts that only one of two models labels correctly.
    """
    if first + second == 0:
        return 1.0
    return float(binomtest(first, first + second, 0.5).pvalue)


def _slice_by_value(column: str, values: Sequence[str]) -> list[Slice]:
    counts = Counter(values)
    frequent = [value for value, _ in counts.most_common(MAX_VALUES)]
    array = np.array(values, dtype=object)
    masks: Mapping[str, np.ndarray] = {value: array == value for value in frequent}
    slices = [
        Slice(column, value[:_MAX_VALUE_LENGTH] or "(empty)", mask, mask, MicroF1())
        for value, mask in masks.items()
    ]
    rest = len(counts) - len(frequent)
    if rest:
        mask = ~np.isin(array, frequent)
        slices.append(Slice(column, f"{rest:,} rarer values", mask, mask, MicroF1()))
    return slices


def _score_slice(slice_: Slice, predictions: Predictions, other: Predictions | None) -> SliceScore:
    scored = predictions.take(slice_.scored)
    interval = estimate_interval(slice_.metric, scored, _SLICE_RESAMPLING)
    against = None
    if other is not None:
        against = compute_value(slice_.metric, other.take(slice_.scored))
    return SliceScore(
        kind=slice_.kind,
        name=slice_.name,
        texts=slice_.size,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        against=against,
    )
