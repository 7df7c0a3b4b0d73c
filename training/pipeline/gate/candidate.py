"""A champion or a challenger at work: its answers, its speed, its size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valence.service.classifier.classifier import Classifier
from valence.service.classifier.manifest import Manifest
from valence.service.inference.engines.interface import Engine
from valence.training.behaviour.model_under_test import Subject
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.evaluation import stored_model
from valence.training.metrics.predictions import Answers
from valence.training.registry import store

_ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Contender:
    """A model of the store with the engine that would serve it."""

    tag: str
    classifier: Classifier
    engine: Engine
    size: int
    """Bytes of its files."""

    @property
    def manifest(self) -> Manifest:
        """What the artifact says about itself."""
        return self.classifier.manifest

    def answers(self, examples: Sequence[Example], labels: Sequence[str]) -> tuple[Answers, float]:
        """What it answers to ``examples``, in the order of ``labels``; its share of unknown words.

        ``labels`` are the manifest's, in any order.
        """
        manifest = self.manifest
        documents = [self.classifier.encode_head(example.text) for example in examples]
        values = stored_model.score(
            manifest, self.engine, [document.ids for document in documents], labels=labels
        )
        truth = targets.label_indices(examples, labels=labels, task=manifest.task)
        read = sum(document.usage.tokens_used for document in documents)
        unknown = sum(document.usage.unknown_tokens for document in documents)
        thresholds = stored_model.thresholds_of(manifest, labels)
        return Answers.of(values, truth, thresholds=thresholds), unknown / max(1, read)

    def subject(self, labels: Sequence[str]) -> Subject:
        """As behaviour tests see it, its labels in the order of ``labels``."""
        return stored_model.subject(self.classifier, self.engine, labels=labels)


def contend(tag: str, *, engine: str) -> Contender:
    """The model ``tag`` of the store, ready to answer."""
    classifier, computes = stored_model.load(tag, engine)
    manifest = classifier.manifest
    size = sum(file.stat().st_size for file in _files(store.path(tag)))
    return Contender(f"{manifest.name}:{manifest.version}", classifier, computes, size)


def seconds_a_text(contenders: Sequence[Contender], texts: Sequence[str]) -> list[float]:
    """How long each of ``contenders`` takes for one text alone, in the mean of ``texts``.

    From text to logits. They take turns, and the fastest of several rounds counts: what else the
    machine does can only slow one down.
    """
    rounds = [
        [_seconds(contender, texts) for contender in contenders] for _ in range(_ROUNDS)
    ]  # (rounds, contenders)
    return [min(column) / len(texts) for column in zip(*rounds, strict=True)]


def _seconds(contender: Contender, texts: Sequence[str]) -> float:
    # what this process computes: time that it waits for a core is none of the model's
    started = time.process_time()
    for text in texts:
        contender.engine.logits([contender.classifier.encode_head(text).ids])
    return time.process_time() - started


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "report" not in path.parts]
