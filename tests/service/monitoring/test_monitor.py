"""A monitor on answers of a model: it tells drift, and keeps no text."""

from __future__ import annotations

import numpy as np
import pytest
from valence.service.classifier import reference
from valence.service.classifier.classifier import Prediction, Usage
from valence.service.classifier.reference import (
    CONFIDENCES,
    LENGTHS,
    OTHER,
    UNKNOWN_SHARES,
    UNTOLD,
    ConfidenceCounts,
    NamedCounts,
    RangeCounts,
    Reference,
)
from valence.service.monitoring import language
from valence.service.monitoring.monitor import MAX_TEXTS, Monitor, judge_windows
from valence.service.observability.metrics.service import Metrics

LABELS = ("negative", "neutral", "positive")


def answers(texts, seed, *, shares=(0.5, 0.3, 0.2), length=12, sure=0.8):
    """Random answers whose labels, lengths and confidence are drawn anew."""
    random = np.random.default_rng(seed)
    labels = random.choice(3, size=texts, p=shares)
    confidence = np.clip(random.normal(sure, 0.1, size=texts), 0.34, 0.999)
    tokens = random.poisson(length, size=texts) + 1
    unknown = random.binomial(tokens, 0.03)
    predictions = []
    for label, sureness in zip(labels.tolist(), confidence.tolist(), strict=True):
        probabilities = [(1 - sureness) / 2] * 3
        probabilities[label] = sureness
        name = LABELS[label]
        predictions.append(Prediction(name, tuple(probabilities), None, (name,)))
    usages = [
        Usage(5 * count, count, count, strange)
        for count, strange in zip(tokens.tolist(), unknown.tolist(), strict=True)
    ]
    return predictions, usages


def make_reference(texts=4_000, languages=None):
    predictions, usages = answers(texts, 0)
    confidence = np.array([max(one.probabilities) for one in predictions])
    counted = reference.count_ranges(confidence, CONFIDENCES)
    unknown = np.array([one.unknown_tokens / one.tokens for one in usages])
    lengths = np.array([one.tokens for one in usages])
    return Reference(
        labels=reference.count_names([one.label for one in predictions], limit=100),
        confidence=ConfidenceCounts(
            bounds=CONFIDENCES, texts=counted, right=tuple(int(0.8 * one) for one in counted)
        ),
        lengths=RangeCounts(bounds=LENGTHS, texts=reference.count_ranges(lengths, LENGTHS)),
        unknown_words=RangeCounts(
            bounds=UNKNOWN_SHARES, texts=reference.count_ranges(unknown, UNKNOWN_SHARES)
        ),
        languages=languages,
    )


def make(artifact, known=None, folder=None):
    metrics = Metrics(version="test")
    monitor = Monitor(artifact.manifest, known, metrics.monitoring, folder)
    monitor.begin()
    return monitor, metrics


def sample(metrics, name, **labels):
    return metrics._registry.get_sample_value(
        name, {"model": "sentiment", "version": "1", **labels}
    )


def drifted(monitor):
    found = judge_windows(monitor.answers, monitor.answers.read())
    return [{name for name, moved in one.signals.items() if moved} for one in found]


def serve(monitor, texts, seed, **changes):
    """Have the monitor observe texts in requests of 50."""
    predictions, usages = answers(texts, seed, **changes)
    for start in range(0, texts, 50):
        chosen = slice(start, start + 50)
        monitor.observe(["a secret"] * 50, predictions[chosen], usages[chosen])
        monitor.flush()


@pytest.mark.parametrize(
    ("changes", "signal"),
    [
        ({"shares": (0.2, 0.3, 0.5)}, "label"),
        ({"length": 20}, "length"),
        ({"sure": 0.65}, "confidence"),
    ],
)
def test_a_drift_is_told_within_1_000_texts(tiny_artifact, changes, signal):
    monitor, metrics = make(tiny_artifact, make_reference())
    serve(monitor, 2_250, 1)
    assert drifted(monitor) == [set()] * 4, "texts like those of the training are usual"
    serve(monitor, 1_000, 2, **changes)
    assert signal in drifted(monitor)[-1]
    windows = {
        outcome: sample(metrics, "valence_drift_windows_total", signal=signal, outcome=outcome)
        for outcome in ("usual", "drifted")
    }
    assert windows["usual"] >= 4
    assert windows["drifted"] >= 1


def test_the_metrics_say_how_many_are_estimated_to_be_right(tiny_artifact):
    known = make_reference()
    monitor, metrics = make(tiny_artifact, known)
    serve(monitor, 1_000, 3)
    assert sample(metrics, "valence_monitored_texts_total") == 1_000
    right = sample(metrics, "valence_estimated_right_texts_total")
    assert right / 1_000 == pytest.approx(known.accuracy, abs=0.02)
    assert sample(metrics, "valence_reference_accuracy") == pytest.approx(known.accuracy)
    monitor.end()
    for name in ("valence_monitored_texts_total", "valence_reference_accuracy"):
        assert sample(metrics, name) is None


def test_a_monitor_without_a_reference_counts_alone(tiny_artifact):
    monitor, metrics = make(tiny_artifact)
    serve(monitor, 600, 1)
    assert monitor.answers.read().windows == 1
    assert drifted(monitor) == [set()]
    assert monitor.estimate_accuracy(monitor.answers.read().total) is None
    assert sample(metrics, "valence_monitored_texts_total") == 600


async def test_a_flood_is_counted_in_part(tiny_artifact):
    """Between two flushes, which need an event loop."""
    monitor, metrics = make(tiny_artifact, make_reference())
    predictions, usages = answers(300, 1)
    for _ in range(20):
        monitor.observe(["a secret"], predictions, usages)
    monitor.flush()
    counted = sample(metrics, "valence_monitored_texts_total")
    assert MAX_TEXTS <= counted < MAX_TEXTS + 300
    monitor.observe(["a secret"], predictions, usages)
    monitor.flush()
    assert sample(metrics, "valence_monitored_texts_total") == counted + 300


def test_another_language_is_told_and_its_texts_forgotten(tiny_artifact):
    names = ("en", UNTOLD, OTHER)
    known = make_reference(languages=NamedCounts(names=names, texts=(950, 45, 5)))
    monitor, _ = make(tiny_artifact, known)
    predictions, usages = answers(1, 1)
    text = "Der Film war leider viel zu lang, und die Handlung ergab keinen Sinn."
    assert language.tell_language(text) == "de"
    for _ in range(100):
        monitor.observe([text], predictions, usages)
        monitor.flush()
    (window,) = judge_windows(monitor.languages, monitor.languages.read())
    assert window.signals == {"language": True}
    assert monitor._sample is None
    assert monitor._waiting == []


def test_a_window_is_shared_through_the_folder(tiny_artifact, tmp_path):
    known = make_reference()
    first, _ = make(tiny_artifact, known, tmp_path)
    second, _ = make(tiny_artifact, known, tmp_path)
    serve(first, 250, 1)
    serve(second, 250, 2)
    assert first.answers.read().windows == second.answers.read().windows == 1
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
