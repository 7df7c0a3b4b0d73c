"""Evaluation and prediction with stored models, with the engine and text handling of serving."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from valence.service.classifier import artifact
from valence.service.classifier.classifier import (
    Classifier,
    Probabilities,
    WindowedText,
    read_outside,
    read_probabilities,
)
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.result import format_result
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import TextTooLong
from valence.service.inference.engines import factory
from valence.service.inference.engines.interface import Engine
from valence.service.observability.log import Log
from valence.training.behaviour.model_under_test import ModelUnderTest
from valence.training.config import loader
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.data.preparation import load_splits
from valence.training.data.split import Splits, hash_examples
from valence.training.evaluation import baselines
from valence.training.metrics.predictions import Predictions
from valence.training.metrics.scores import Evaluation, evaluate
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run

# texts of a batch
_CHUNK = 1_024


def evaluate_stored_model(
    tag: str, *, engine: str, run: Run, with_baselines: bool
) -> dict[str, Evaluation]:
    """The evaluations of a stored model on its dev and test texts, and of the baselines.

    Baselines are scored on test, or on dev where the model has no test texts.
    """
    classifier, model_engine = load_stored_model(tag, engine)
    run.reporter.say(f"{tag}: engine {model_engine.name}")
    manifest = classifier.manifest
    splits = load_own_splits(classifier, run)
    name = f"{manifest.name}:{manifest.version}"
    scores = {
        f"{name} ({split})": evaluate_examples(
            classifier, model_engine, splits.of(split), run.reporter
        )[1]
        for split in splits.names
        if split != "train"
    }
    if with_baselines:
        baseline_scores = score_baselines(manifest, splits, run.reporter)
        scores |= {f"{name} ({splits.judged})": value for name, value in baseline_scores.items()}
    return scores


def load_own_splits(classifier: Classifier, run: Run) -> Splits:
    """The splits of the model's own corpora.

    The reporter warns about a split whose texts have changed since the training.
    """
    manifest = classifier.manifest
    tag = f"{manifest.name}:{manifest.version}"
    configuration = loader.parse_configuration(
        dict(manifest.training.configuration), source=f"model {tag}"
    )
    _, splits = load_splits(configuration, run)
    for name, expected in manifest.training.split_sha256.items():
        if hash_examples(getattr(splits, name)) != expected:
            run.reporter.say(
                f"warning: the {name} texts differ from those that {tag} was made with"
            )
    return splits


def score_baselines(
    manifest: Manifest, splits: Splits, reporter: Reporter
) -> dict[str, Evaluation]:
    """The evaluations of the baselines that fit the model, trained and scored on its splits.

    The reporter tells of a baseline that is left out.
    """
    scored = baselines.score_baselines(
        splits.train,
        splits.of(splits.judged),
        labels=manifest.labels,
        task=manifest.task,
        dev=splits.dev,
    )
    if scored.left_out:
        reporter.say(f"warning: {scored.left_out}")
    return scored.evaluations


def evaluate_examples(
    classifier: Classifier,
    engine: Engine,
    examples: Sequence[Example],
    reporter: Reporter,
    *,
    labels: Sequence[str] | None = None,
) -> tuple[Predictions, Evaluation]:
    """The predictions of a model for ``examples``, and their evaluation.

    ``labels`` is the order of the labels in the predictions, by default the order of the manifest.
    """
    manifest = classifier.manifest
    labels, task = labels or manifest.labels, manifest.task
    outputs: list[Probabilities] = []
    chunks = range(0, len(examples), _CHUNK)
    started, tokens = time.perf_counter(), 0
    with reporter.bar(f"scoring with {manifest.name}", total=len(chunks)) as advance:
        for start in chunks:
            chunk = examples[start : start + _CHUNK]
            documents = [classifier.encode_head(example.text).ids for example in chunk]
            outputs.append(compute_probabilities(manifest, engine, documents, labels=labels))
            tokens += sum(map(len, documents))
            seconds = max(1e-9, time.perf_counter() - started)
            advance(tokens_per_second=max(1, tokens) / seconds)
    values = np.concatenate(outputs)
    truth = targets.label_indices(examples, labels=labels, task=task)
    thresholds = select_thresholds(manifest, labels)
    return (
        Predictions.from_probabilities(values, truth, thresholds=thresholds),
        evaluate(values, truth, labels=labels, thresholds=thresholds),
    )


def compute_probabilities(
    manifest: Manifest, engine: Engine, documents: Sequence[WordIds], *, labels: Sequence[str]
) -> Probabilities:
    """The probabilities (N, K) of N documents, in the order of ``labels``."""
    logits = [
        engine.logits(documents[start : start + _CHUNK])
        for start in range(0, len(documents), _CHUNK)
    ]
    values = read_probabilities(np.concatenate(logits), manifest)
    return values[:, [manifest.labels.index(label) for label in labels]]


def compute_outside(classifier: Classifier, engine: Engine, texts: Sequence[str]) -> Probabilities:
    """The probability of each of ``texts`` that it belongs to none of the labels.

    For a model that tells such texts.
    """
    scores = [
        read_outside(
            engine.logits(
                [classifier.encode_head(text).ids for text in texts[start : start + _CHUNK]]
            )
        )
        for start in range(0, len(texts), _CHUNK)
    ]
    return np.concatenate(scores)


def select_thresholds(manifest: Manifest, labels: Sequence[str]) -> list[float] | None:
    """The thresholds in the order of ``labels``; None for a single-label model."""
    if manifest.task == "single_label":
        return None
    return [manifest.thresholds[label] for label in labels]


def make_model_under_test(
    classifier: Classifier, engine: Engine, *, labels: Sequence[str] | None = None
) -> ModelUnderTest:
    """The model for behavioural tests. The default order of ``labels`` is that of the manifest."""
    manifest = classifier.manifest
    order = labels or manifest.labels

    def predict(texts: Sequence[str]) -> Probabilities:
        documents = [classifier.encode_head(text).ids for text in texts]
        return compute_probabilities(manifest, engine, documents, labels=order)

    return ModelUnderTest(order, predict, select_thresholds(manifest, order), manifest.polarity)


def predict_texts(
    tag: str, texts: Iterable[str], *, engine: str, truncation: Truncation = "head"
) -> Iterator[dict[str, Any]]:
    """A result for each text, in the format of the results of ``POST /v1/classify``.

    Raises :class:`TextTooLong` where ``truncation`` refuses a text.
    """
    classifier, model_engine = load_stored_model(tag, engine)
    numbered = enumerate(texts)
    while chunk := list(islice(numbered, _CHUNK)):
        readings = [_read_text(classifier, index, text, truncation) for index, text in chunk]
        windows = [ids for reading in readings for ids in reading.windows]
        predictions = classifier.merge_windows(
            readings, classifier.predict(model_engine.logits(windows))
        )
        for reading, prediction in zip(readings, predictions, strict=True):
            yield format_result(classifier.manifest.labels, prediction, reading.usage)


def _read_text(
    classifier: Classifier, index: int, text: str, truncation: Truncation
) -> WindowedText:
    try:
        return classifier.encode_windows(text, truncation)
    except TextTooLong as error:
        raise TextTooLong(f"text {index + 1}: {error}") from None


def load_stored_model(tag: str, engine: str) -> tuple[Classifier, Engine]:
    """The stored model ``tag`` and its engine; ``engine`` is the name of an engine, or ``auto``."""
    loaded = artifact.load(store.find_model(tag))
    return Classifier(loaded), factory.create(
        loaded, name=engine, log=Log(sys.stderr, access=False)
    )
