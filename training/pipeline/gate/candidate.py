"""A candidate of the gate, champion or challenger: its predictions, speed and size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valence.service.classifier.classifier import Classifier
from valence.service.classifier.manifest import Manifest
from valence.service.inference.engines.interface import Engine
from valence.training.behaviour.model_under_test import ModelUnderTest
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.evaluation import stored_model
from valence.training.metrics.predictions import Predictions
from valence.training.registry import store

_ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored model with the engine that would serve it."""

    tag: str
    classifier: Classifier
    engine: Engine
    size: int
    """Bytes of the files of the model."""

    @property
    def manifest(self) -> Manifest:
        """The manifest of the model."""
        return self.classifier.manifest

    def predict_examples(
        self, examples: Sequence[Example], labels: Sequence[str]
    ) -> tuple[Predictions, float]:
        """The predictions for ``examples``, and the share of unknown words.

        ``labels`` are the labels of the manifest, in the order that the predictions shall have.
        """
        manifest = self.manifest
        documents = [self.classifier.encode_head(example.text) for example in examples]
        values = stored_model.compute_probabilities(
            manifest, self.engine, [document.ids for document in documents], labels=labels
        )
        truth = targets.label_indices(examples, labels=labels, task=manifest.task)
        tokens = sum(document.usage.tokens_used for document in documents)
        unknown = sum(document.usage.unknown_tokens for document in documents)
        thresholds = stored_model.select_thresholds(manifest, labels)
        return Predictions.from_probabilities(values, truth, thresholds=thresholds), unknown / max(
            1, tokens
        )

    def make_model_under_test(self, labels: Sequence[str]) -> ModelUnderTest:
        """The model for behavioural tests, with its labels in the order of ``labels``."""
        return stored_model.make_model_under_test(self.classifier, self.engine, labels=labels)


def load_candidate(tag: str, *, engine: str) -> Candidate:
    """The stored model ``tag`` with its engine."""
    classifier, model_engine = stored_model.load_stored_model(tag, engine)
    manifest = classifier.manifest
    size = sum(file.stat().st_size for file in _list_files(store.find_model(tag)))
    return Candidate(f"{manifest.name}:{manifest.version}", classifier, model_engine, size)


def measure_seconds_per_text(candidates: Sequence[Candidate], texts: Sequence[str]) -> list[float]:
    """The mean time of each of ``candidates`` for one text, from text to logits, in seconds.

    The candidates take turns, and the fastest of several rounds counts, because other load on the
    machine can only slow a candidate down.
    """
    rounds = [
        [_measure_seconds(candidate, texts) for candidate in candidates] for _ in range(_ROUNDS)
    ]  # (rounds, candidates)
    return [min(column) / len(texts) for column in zip(*rounds, strict=True)]


def _measure_seconds(candidate: Candidate, texts: Sequence[str]) -> float:
    # process time leaves out the time that the process waits for a core
    started = time.process_time()
    for text in texts:
        candidate.engine.logits([candidate.classifier.encode_head(text).ids])
    return time.process_time() - started


def _list_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "report" not in path.parts]
