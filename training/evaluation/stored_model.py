"""Models that are in the store, judged and asked: with the engine and text handling that serve."""

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
    to_probabilities,
)
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.result import format_result
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import TextTooLong
from valence.service.inference.engines import factory
from valence.service.inference.engines.interface import Engine
from valence.service.observability.log import Log
from valence.training.behaviour.model_under_test import Subject
from valence.training.config import loader
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.data.preparation import load_splits
from valence.training.data.split import Splits, hash_examples
from valence.training.evaluation import baselines
from valence.training.metrics.predictions import Answers
from valence.training.metrics.scores import Evaluation, evaluate
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run

# texts that are scored together
_CHUNK = 1_024


def evaluate_stored(
    tag: str, *, engine: str, run: Run, with_baselines: bool
) -> dict[str, Evaluation]:
    """The scores of a model on its dev and test texts, and of the baselines on the same.

    Baselines are scored on test, or on dev where the model has no test texts.
    """
    classifier, computes = load(tag, engine)
    run.reporter.say(f"{tag}: engine {computes.name}")
    manifest = classifier.manifest
    splits = held_out(classifier, run)
    name = f"{manifest.name}:{manifest.version}"
    scores = {
        f"{name} ({part})": answer(classifier, computes, splits.of(part), run.reporter)[1]
        for part in splits.names
        if part != "train"
    }
    if with_baselines:
        beside = score_baselines(manifest, splits)
        scores |= {f"{name} ({splits.judged})": value for name, value in beside.items()}
    return scores


def held_out(classifier: Classifier, run: Run) -> Splits:
    """The splits of the model's own corpora; says where they are not those it was made with."""
    manifest = classifier.manifest
    tag = f"{manifest.name}:{manifest.version}"
    chosen = loader.parse_configuration(
        dict(manifest.training.configuration), source=f"model {tag}"
    )
    _, splits = load_splits(chosen, run)
    for name, expected in manifest.training.split_sha256.items():
        if hash_examples(getattr(splits, name)) != expected:
            run.reporter.say(f"warning: the {name} texts are not those that {tag} was made with")
    return splits


def score_baselines(manifest: Manifest, splits: Splits) -> dict[str, Evaluation]:
    """The baselines that fit the model's labels, trained and scored on its splits."""
    return baselines.score(
        splits.train,
        splits.of(splits.judged),
        labels=manifest.labels,
        task=manifest.task,
        dev=splits.dev,
    )


def answer(
    classifier: Classifier,
    computes: Engine,
    examples: Sequence[Example],
    reporter: Reporter,
    *,
    labels: Sequence[str] | None = None,
) -> tuple[Answers, Evaluation]:
    """What a model answers to ``examples``, and how good that is.

    ``labels`` are the manifest's in another order, if the answers are to be in one.
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
            outputs.append(score(manifest, computes, documents, labels=labels))
            tokens += sum(map(len, documents))
            seconds = max(1e-9, time.perf_counter() - started)
            advance(tokens_per_second=max(1, tokens) / seconds)
    values = np.concatenate(outputs)
    truth = targets.label_indices(examples, labels=labels, task=task)
    thresholds = thresholds_of(manifest, labels)
    return (
        Answers.of(values, truth, thresholds=thresholds),
        evaluate(values, truth, labels=labels, thresholds=thresholds),
    )


def score(
    manifest: Manifest, computes: Engine, documents: Sequence[WordIds], *, labels: Sequence[str]
) -> Probabilities:
    """Probabilities (N, K) of N documents, in the order of ``labels``, the manifest's in any."""
    parts = [
        computes.logits(documents[start : start + _CHUNK])
        for start in range(0, len(documents), _CHUNK)
    ]
    values = to_probabilities(
        np.concatenate(parts), temperature=manifest.temperature, task=manifest.task
    )
    return values[:, [manifest.labels.index(label) for label in labels]]


def thresholds_of(manifest: Manifest, labels: Sequence[str]) -> list[float] | None:
    """The thresholds of ``labels``; None of a single-label model."""
    if manifest.task == "single_label":
        return None
    return [manifest.thresholds[label] for label in labels]


def subject(
    classifier: Classifier, computes: Engine, *, labels: Sequence[str] | None = None
) -> Subject:
    """A model as behaviour tests see it; ``labels`` are the manifest's in another order, if so."""
    manifest = classifier.manifest
    order = labels or manifest.labels

    def ask(texts: Sequence[str]) -> Probabilities:
        documents = [classifier.encode_head(text).ids for text in texts]
        return score(manifest, computes, documents, labels=order)

    return Subject(order, ask, thresholds_of(manifest, order), manifest.polarity)


def predict_stored(
    tag: str, texts: Iterable[str], *, engine: str, truncation: Truncation = "head"
) -> Iterator[dict[str, Any]]:
    """An answer for each text, of the shape of an item of ``POST /v1/classify``.

    Raises :class:`TextTooLong` where ``truncation`` refuses a text.
    """
    classifier, computes = load(tag, engine)
    waiting = enumerate(texts)
    while chunk := list(islice(waiting, _CHUNK)):
        readings = [_read(classifier, place, text, truncation) for place, text in chunk]
        windows = [ids for reading in readings for ids in reading.windows]
        predictions = classifier.merge_windows(
            readings, classifier.predict(computes.logits(windows))
        )
        for reading, prediction in zip(readings, predictions, strict=True):
            yield format_result(classifier.manifest.labels, prediction, reading.usage)


def _read(classifier: Classifier, place: int, text: str, truncation: Truncation) -> WindowedText:
    try:
        return classifier.encode_windows(text, truncation)
    except TextTooLong as error:
        raise TextTooLong(((place, f"text {place + 1}: {error}"),)) from None


def load(tag: str, engine: str) -> tuple[Classifier, Engine]:
    """The model ``tag`` of the store and the engine that computes it."""
    loaded = artifact.load(store.path(tag))
    return Classifier(loaded), factory.create(
        loaded, name=engine, log=Log(sys.stderr, access=False)
    )
