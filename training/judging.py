"""Models that are in the store, judged and asked: with the engine and text handling that serve."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from service.classifier import artifact
from service.classifier.classifier import Classifier, Logits, Reading, probabilities
from service.classifier.result import result
from service.classifier.truncation import Truncation
from service.errors import TextTooLong
from service.inference import engines
from service.inference.engine import Engine
from service.log import Log
from training import baselines, configuration, store, targets
from training.corpora import Example
from training.evaluation import Evaluation, evaluate
from training.preparation import Workspace, load_splits
from training.progress import Reporter
from training.split import digest

# texts that are scored together
_CHUNK = 1_024


def evaluate_stored(
    tag: str, *, engine: str, workspace: Workspace, with_baselines: bool, reporter: Reporter
) -> dict[str, Evaluation]:
    """The scores of a model on its dev and test texts, and of the baselines on the same test."""
    classifier, computes = load(tag, engine)
    reporter.say(f"{tag}: engine {computes.name}")
    manifest = classifier.manifest
    chosen = configuration.parse(dict(manifest.training.configuration), source=f"model {tag}")
    _, splits = load_splits(chosen, workspace, reporter)
    for name, expected in manifest.training.split_sha256.items():
        if digest(getattr(splits, name)) != expected:
            reporter.say(f"warning: the {name} texts are not those that {tag} was made with")
    labels, task = manifest.labels, manifest.task
    thresholds = [manifest.thresholds[label] for label in labels] if task == "multi_label" else None

    def judge(examples: Sequence[Example]) -> Evaluation:
        documents = [classifier.encode(example.text).ids for example in examples]
        outputs: list[Logits] = [
            computes.logits(documents[start : start + _CHUNK])
            for start in range(0, len(documents), _CHUNK)
        ]
        return evaluate(
            probabilities(np.concatenate(outputs), temperature=manifest.temperature, task=task),
            targets.truth(examples, labels=labels, task=task),
            labels=labels,
            thresholds=thresholds,
        )

    name = f"{manifest.name}:{manifest.version}"
    scores = {f"{name} ({part})": judge(getattr(splits, part)) for part in ("dev", "test")}
    if with_baselines:
        beside = baselines.score(
            splits.train, splits.test, labels=labels, task=task, dev=splits.dev
        )
        scores |= {f"{name} (test)": value for name, value in beside.items()}
    return scores


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
        predictions = classifier.combine(readings, classifier.predict(computes.logits(windows)))
        for reading, prediction in zip(readings, predictions, strict=True):
            yield result(classifier.manifest.labels, prediction, reading.usage)


def _read(classifier: Classifier, place: int, text: str, truncation: Truncation) -> Reading:
    try:
        return classifier.read(text, truncation)
    except TextTooLong as error:
        raise TextTooLong(((place, f"text {place + 1}: {error}"),)) from None


def load(tag: str, engine: str) -> tuple[Classifier, Engine]:
    """The model ``tag`` of the store and the engine that computes it."""
    loaded = artifact.load(store.path(tag))
    return Classifier(loaded), engines.create(
        loaded, name=engine, log=Log(sys.stderr, access=False)
    )
