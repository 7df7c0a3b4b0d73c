"""What a fitted network is worth: its calibration, thresholds and scores, beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.classifier.classifier import probabilities
from service.classifier.model import RecurrentClassifier
from training import baselines, calibration, fitting, thresholds
from training.comparison import figures
from training.comparison.answers import Answers
from training.configuration import Configuration
from training.evaluation import Evaluation, evaluate
from training.preparation import Prepared


@dataclass(frozen=True, slots=True)
class Outcome:
    """Scores on dev and test and their intervals, by split; the baselines' by name.

    Baselines are scored on test, or on dev where test texts lie elsewhere.

    ``thresholds`` are one a label of a multi-label task, else None.
    """

    temperature: float
    thresholds: Sequence[float] | None
    evaluations: Mapping[str, Evaluation]
    intervals: Mapping[str, dict[str, tuple[float, float]]]
    baselines: Mapping[str, Evaluation]


def judge(
    model: RecurrentClassifier,
    prepared: Prepared,
    configuration: Configuration,
    *,
    with_baselines: bool,
) -> Outcome:
    """Calibrate ``model`` on the dev texts, choose its thresholds there, and score it."""
    encoded, splits = prepared.encoded, prepared.splits
    outputs = {name: fitting.logits(model, texts) for name, texts in encoded.items()}
    temperature = calibration.fit_temperature(
        outputs["dev"].astype(np.float64), encoded["dev"].truth
    )
    answers = {
        name: probabilities(values, temperature=temperature, task=configuration.task)
        for name, values in outputs.items()
    }
    chosen = (
        thresholds.choose(answers["dev"], encoded["dev"].truth)
        if configuration.task == "multi_label"
        else None
    )
    evaluations = {
        name: evaluate(values, encoded[name].truth, labels=configuration.labels, thresholds=chosen)
        for name, values in answers.items()
    }
    intervals = {
        name: figures.bounds(Answers.of(values, encoded[name].truth, thresholds=chosen))
        for name, values in answers.items()
    }
    beside = (
        baselines.score(
            splits.train,
            splits.of(splits.judged),
            labels=configuration.labels,
            task=configuration.task,
            dev=splits.dev,
        )
        if with_baselines
        else {}
    )
    return Outcome(temperature, chosen, evaluations, intervals, beside)
