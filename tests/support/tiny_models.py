"""Models with random weights, and an engine whose answers a test can compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from valence.service.classifier import artifact
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.manifest import (
    CorpusRecord,
    Manifest,
    Outside,
    OutsideTexts,
    Training,
)
from valence.service.classifier.vocabulary import Vocabulary

WORDS = ("<unk>", "good", "bad", "movie", "the", "was", "and", "not", "very", "a", ".", "!", "n't")


def save_tiny_model(
    folder: Path,
    *,
    name: str = "sentiment",
    version: str = "1",
    seed: int = 0,
    max_tokens: int = 50,
    thresholds: Mapping[str, float] | None = None,
    outside: float | None = None,
    hidden_size: int = 4,
) -> Path:
    """Save and seal a model folder with random weights: right shapes, random answers.

    With ``outside``, a threshold, the model tells texts outside its labels.
    """
    labels = ("negative", "neutral", "positive") if name == "sentiment" else ("business", "sport")
    architecture = Architecture(
        vocabulary_size=len(WORDS),
        embedding_size=5,
        hidden_size=hidden_size,
        labels=len(labels),
        outside=outside is not None,
    )
    manifest = Manifest(
        name=name,
        version=version,
        task="single_label" if thresholds is None else "multi_label",
        labels=labels,
        polarity={"negative": -1.0, "neutral": 0.0, "positive": 1.0} if len(labels) == 3 else None,
        thresholds=dict(thresholds or {}),
        architecture=architecture,
        max_tokens=max_tokens,
        temperature=1.25,
        outside=None if outside is None else describe_outside(outside),
        metrics={"test": {"macro_f1": 0.5}},
        training=Training(
            corpora=(CorpusRecord(name="none", source="random weights", sha256="0" * 64, texts=0),),
            splits={"train": 0, "dev": 0, "test": 0},
            split_sha256={"train": "0" * 64, "dev": "0" * 64, "test": "0" * 64},
            configuration={},
            seed=seed,
            code_version="test",
            packages={},
            hardware="any",
            started="2026-01-01T00:00:00Z",
            seconds=0.0,
            peak_memory_bytes=0,
            epochs=0,
        ),
    )
    random = np.random.default_rng(seed)
    tensors = {
        tensor: random.standard_normal(shape).astype(np.float32)
        for tensor, shape in architecture.tensor_shapes().items()
    }
    artifact.save(folder, manifest, Vocabulary(WORDS), tensors)
    return folder


def describe_outside(threshold: float) -> Outside:
    """The record of a model that tells texts outside its labels."""
    return Outside(
        threshold=threshold,
        auroc=0.99,
        ece=0.01,
        inside=OutsideTexts(texts=200, found=1),
        kinds={"everyday": OutsideTexts(texts=100, found=90)},
        fitted=100,
    )


def make_linear(tiny: Artifact, *, seed: int = 0) -> Artifact:
    """Return a model of n-grams alone, with the labels and the words of ``tiny``."""
    words = [(number, 0, 0) for number in range(1, len(WORDS))]
    words += [(1, 3, 0), (7, 1, 0), (8, 2, 0), (7, 1, 3)]
    manifest = tiny.manifest
    architecture = Architecture(
        vocabulary_size=len(WORDS), layers=0, labels=len(manifest.labels), ngrams=len(words)
    )
    random = np.random.default_rng(seed)
    tensors = {
        name: random.uniform(0.5, 2.0, shape).astype(np.float32)
        for name, shape in architecture.tensor_shapes().items()
    }
    tensors["ngrams.words"] = np.array(words, dtype=np.float32)
    linear = manifest.model_copy(update={"architecture": architecture})
    return Artifact(linear, tiny.vocabulary, tensors)


class CountingEngine:
    """Engine with computable answers: the logit of label k is the number of times word id k occurs.

    ``calls`` holds the document lengths of each batch.
    """

    name = "counting"

    def __init__(self, labels: int = 3) -> None:
        self.labels = labels
        self.calls: list[list[int]] = []

    def logits(self, documents: Sequence[np.ndarray]) -> np.ndarray:
        self.calls.append([len(document) for document in documents])
        rows = [np.bincount(d, minlength=self.labels + 1)[1 : self.labels + 1] for d in documents]
        return np.array(rows, dtype=np.float32).reshape(len(documents), self.labels)
