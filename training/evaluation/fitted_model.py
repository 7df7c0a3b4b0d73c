"""The evaluation of a fitted classifier: calibration, thresholds, scores, baselines, behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from valence.service.classifier.classifier import to_probabilities
from valence.service.classifier.manifest import Outside
from valence.training.behaviour import suite
from valence.training.behaviour.capability import Capability
from valence.training.behaviour.model_under_test import ModelUnderTest
from valence.training.config.schema import Configuration
from valence.training.data.batches import encode_texts
from valence.training.data.preparation import Prepared
from valence.training.evaluation import baselines, doubts
from valence.training.evaluation.baselines import Baselines
from valence.training.metrics import bootstrap, calibration, thresholds
from valence.training.metrics.predictions import Floats, Predictions
from valence.training.metrics.scores import Evaluation, evaluate
from valence.training.trainer.fitted_classifier import FittedClassifier


@dataclass(frozen=True, slots=True)
class FittedEvaluation:
    """The evaluation of a fitted classifier.

    ``evaluations`` and ``intervals`` are by split, ``baselines`` are by name. Baselines are scored
    on test, or on dev where there are no test texts; ``behaviour`` is tested on the same texts.
    ``thresholds`` holds one threshold for each label of a multi-label task, else None. ``doubts``
    are sentences for the user. ``probabilities`` ``(N, K)`` are those of the texts, by split.
    ``outside`` is set for a model that tells texts outside its labels.
    """

    temperature: float
    thresholds: Sequence[float] | None
    evaluations: Mapping[str, Evaluation]
    intervals: Mapping[str, dict[str, tuple[float, float]]]
    baselines: Mapping[str, Evaluation]
    behaviour: Sequence[Capability]
    doubts: tuple[str, ...] = ()
    probabilities: Mapping[str, Floats] = field(default_factory=dict)
    outside: Outside | None = None


def evaluate_fitted_model(
    model: FittedClassifier,
    prepared: Prepared,
    configuration: Configuration,
    *,
    with_baselines: bool,
) -> FittedEvaluation:
    """Calibrate ``model`` and choose its thresholds on the dev texts, then score the model."""
    encoded, splits = prepared.held_out, prepared.raw.splits
    outputs = {name: model.compute_logits(texts) for name, texts in encoded.items()}
    if model.dev_logits is not None:
        outputs["dev"] = model.dev_logits
    temperature = calibration.fit_temperature(
        outputs["dev"].astype(np.float64), encoded["dev"].truth
    )
    values = {
        name: to_probabilities(logits, temperature=temperature, task=configuration.task)
        for name, logits in outputs.items()
    }
    chosen_thresholds = (
        thresholds.choose_thresholds(values["dev"], encoded["dev"].truth)
        if configuration.task == "multi_label"
        else None
    )
    evaluations = {
        name: evaluate(
            rows, encoded[name].truth, labels=configuration.labels, thresholds=chosen_thresholds
        )
        for name, rows in values.items()
    }
    predictions = {
        name: Predictions.from_probabilities(
            rows, encoded[name].truth, thresholds=chosen_thresholds
        )
        for name, rows in values.items()
    }
    intervals = {
        name: bootstrap.estimate_bounds(split_predictions)
        for name, split_predictions in predictions.items()
    }
    model_under_test = ModelUnderTest(
        configuration.labels,
        _make_probability_function(model, prepared, configuration, temperature=temperature),
        chosen_thresholds,
        configuration.polarity,
    )
    held_out = splits.of(splits.judged)
    behaviour = suite.run_suite(
        model_under_test,
        [example.text for example in held_out],
        predictions[splits.judged].predicted,
    )
    fitted_baselines = (
        baselines.score_baselines(
            splits.train,
            held_out,
            labels=configuration.labels,
            task=configuration.task,
            dev=splits.dev,
        )
        if with_baselines
        else Baselines({})
    )
    judged, linear = predictions[splits.judged], fitted_baselines.linear
    found = doubts.collect_doubts(
        (
            doubts.doubt_learning(judged, splits.judged),
            None
            if linear is None or model.network is None
            else doubts.doubt_network(judged, linear, splits.judged),
            fitted_baselines.left_out or None,
            doubts.doubt_words((example.text for example in splits.dev), prepared.vocabulary),
            doubts.doubt_calibration(outputs["dev"], encoded["dev"].truth, temperature),
        )
    )
    return FittedEvaluation(
        temperature,
        chosen_thresholds,
        evaluations,
        intervals,
        fitted_baselines.evaluations,
        behaviour,
        found,
        values,
    )


def _make_probability_function(
    model: FittedClassifier,
    prepared: Prepared,
    configuration: Configuration,
    *,
    temperature: float,
) -> Callable[[Sequence[str]], Floats]:
    def compute_probabilities(texts: Sequence[str]) -> Floats:
        outputs = model.compute_logits(encode_texts(texts, prepared.vocabulary, configuration))
        return to_probabilities(outputs, temperature=temperature, task=configuration.task)

    return compute_probabilities
