"""A champion or a challenger at work: its answers, its speed, its size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.classifier.classifier import Classifier, Logits, probabilities
from service.classifier.manifest import Manifest
from service.inference.engine import Engine
from training import judging, store, targets
from training.comparison.answers import Answers
from training.corpora import Example

# texts scored together
_CHUNK = 1_024
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

    def logits(self, texts: Sequence[str]) -> tuple[Logits, NDArray[np.int64], NDArray[np.int64]]:
        """Logits (N, K), then tokens read and unknown words of each text, (N,) both."""
        documents = [self.classifier.encode(text) for text in texts]
        ids = [document.ids for document in documents]
        parts = [
            self.engine.logits(ids[start : start + _CHUNK]) for start in range(0, len(ids), _CHUNK)
        ]
        usages = [document.usage for document in documents]
        return (
            np.concatenate(parts),
            np.array([usage.tokens_used for usage in usages], dtype=np.int64),
            np.array([usage.unknown_tokens for usage in usages], dtype=np.int64),
        )

    def given(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """The labels given to ``texts``, (N, K), in the order of the manifest."""
        nothing = np.zeros(len(texts), dtype=np.int64)
        if self.manifest.task == "multi_label":
            nothing = np.zeros((len(texts), len(self.manifest.labels)), dtype=np.int64)
        return self._answers(self.logits(texts)[0], nothing, self.manifest.labels).given

    def answers(self, examples: Sequence[Example], labels: Sequence[str]) -> tuple[Answers, float]:
        """What it answers to ``examples``, in the order of ``labels``; its share of unknown words.

        ``labels`` are the manifest's, in any order.
        """
        logits, tokens, unknown = self.logits([example.text for example in examples])
        truth = targets.truth(examples, labels=labels, task=self.manifest.task)
        share = float(unknown.sum() / max(1, tokens.sum()))
        return self._answers(logits, truth, labels), share

    def _answers(self, logits: Logits, truth: NDArray[np.int64], labels: Sequence[str]) -> Answers:
        manifest = self.manifest
        order = [manifest.labels.index(label) for label in labels]
        values = probabilities(logits, temperature=manifest.temperature, task=manifest.task)
        thresholds = None
        if manifest.task == "multi_label":
            thresholds = [manifest.thresholds[label] for label in labels]
        return Answers.of(values[:, order], truth, thresholds=thresholds)


def contend(tag: str, *, engine: str) -> Contender:
    """The model ``tag`` of the store, ready to answer."""
    classifier, computes = judging.load(tag, engine)
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
        contender.engine.logits([contender.classifier.encode(text).ids])
    return time.process_time() - started


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "report" not in path.parts]
