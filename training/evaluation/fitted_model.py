"""What a fitted network is worth: its calibration, thresholds and scores, beside the baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from valence.service.classifier.classifier import to_probabilities
from valence.service.classifier.model import RecurrentClassifier
from valence.training.behaviour import suite
from valence.training.behaviour.case_result import Capability
from valence.training.behaviour.model_under_test import Subject
from valence.training.config.schema import Configuration
from valence.training.data.batches import encode_texts
from valence.training.data.preparation import Prepared
from valence.training.evaluation import baselines
from valence.training.metrics import calibration, definitions, thresholds
from valence.training.metrics.predictions import Answers, Floats
from valence.training.metrics.scores import Evaluation, evaluate
from valence.training.trainer import loop


@dataclass(frozen=True, slots=True)
class Outcome:
    """Scores on dev and test and their intervals, by split; the baselines' by name.

    Baselines are scored on test, or on dev where test texts lie elsewhere.

    ``thresholds`` are one a label of a multi-label task, else None; ``behaviour`` is tested on test
    texts, rewritten; on dev texts where there are no test texts.
    """

    temperature: float
    thresholds: Sequence[float] | None
    evaluations: Mapping[str, Evaluation]
    intervals: Mapping[str, dict[str, tuple[float, float]]]
    baselines: Mapping[str, Evaluation]
    behaviour: Sequence[Capability]


def judge(
    model: RecurrentClassifier,
    prepared: Prepared,
    configuration: Configuration,
    *,
    with_baselines: bool,
) -> Outcome:
    """Calibrate ``model`` on the dev texts, choose its thresholds there, and score it."""
    encoded, splits = prepared.held_out, prepared.raw.splits
    outputs = {name: loop.compute_logits(model, texts) for name, texts in encoded.items()}
    temperature = calibration.fit_temperature(
        outputs["dev"].astype(np.float64), encoded["dev"].truth
    )
    values = {
        name: to_probabilities(values, temperature=temperature, task=configuration.task)
        for name, values in outputs.items()
    }
    chosen = (
        thresholds.choose(values["dev"], encoded["dev"].truth)
        if configuration.task == "multi_label"
        else None
    )
    evaluations = {
        name: evaluate(rows, encoded[name].truth, labels=configuration.labels, thresholds=chosen)
        for name, rows in values.items()
    }
    answers = {
        name: Answers.of(rows, encoded[name].truth, thresholds=chosen)
        for name, rows in values.items()
    }
    intervals = {name: definitions.bounds(one) for name, one in answers.items()}
    subject = Subject(
        configuration.labels,
        _asking(model, prepared, configuration, temperature=temperature),
        chosen,
        configuration.polarity,
    )
    held_out = splits.of(splits.judged)
    behaviour = suite.examine(
        subject, [example.text for example in held_out], answers[splits.judged].given
    )
    beside = (
        baselines.score(
            splits.train,
            held_out,
            labels=configuration.labels,
            task=configuration.task,
            dev=splits.dev,
        )
        if with_baselines
        else {}
    )
    return Outcome(temperature, chosen, evaluations, intervals, beside, behaviour)


def _asking(
    model: RecurrentClassifier,
    prepared: Prepared,
    configuration: Configuration,
    *,
    temperature: float,
) -> Callable[[Sequence[str]], Floats]:
    def ask(texts: Sequence[str]) -> Floats:
        outputs = loop.compute_logits(
            model, encode_texts(texts, prepared.vocabulary, configuration)
        )
        return to_probabilities(outputs, temperature=temperature, task=configuration.task)

    return ask
