"""Difference between each dispatch path of the native engine and the reference, on real texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier import artifact
from valence.service.classifier.classifier import (
    Classifier,
    Logits,
    read_outside,
    read_probabilities,
)
from valence.service.classifier.manifest import Manifest
from valence.service.inference.engines.native import NativeEngine, available_paths
from valence.service.inference.engines.reference import ReferenceEngine
from valence.training.config import loader
from valence.training.data.preparation import load_splits
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

from tests.trials.bench import texts
from tests.trials.bench.measure import Options, say
from tests.trials.bench.report import Goal, Section, Table

_MODELS = ("sentiment", "topic")


def run(options: Options) -> Section:
    """Score the test split of each trained model with every path."""
    rows = []
    goals = []
    for tag in _MODELS:
        loaded = artifact.load(store.find_model(tag))
        classifier = Classifier(loaded)
        chosen = loader.parse_configuration(
            dict(loaded.manifest.training.configuration), source=tag
        )
        _, splits = load_splits(chosen, Run(Workspace(texts.CACHE.parent), Reporter()))
        documents = [classifier.encode_head(example.text).ids for example in splits.test]
        expected = _read(ReferenceEngine(loaded).logits(documents), loaded.manifest)
        for path in available_paths():
            say(f"  {tag}, {path}")
            found = _read(NativeEngine(loaded, path=path).logits(documents), loaded.manifest)
            labels = len(loaded.manifest.labels)
            likeliest, wanted = (rows_[:, :labels].argmax(axis=1) for rows_ in (found, expected))
            agree = float((likeliest == wanted).mean())
            furthest = float(np.abs(found - expected).max())
            rows.append([tag, path, f"{len(documents):,}", f"{agree:.4%}", f"{furthest:.1e}"])
            goals += [
                Goal(f"{tag}, {path}: labels as the reference's", 99.9, agree * 100, unit=" %"),
                Goal(
                    f"{tag}, {path}: furthest probability",
                    0.01 if path.endswith(("bf16", "int16")) else 1e-5,
                    furthest,
                    unit="",
                    at_least=False,
                ),
            ]
    table = Table(["model", "path", "test texts", "same label", "furthest probability"], rows)
    text = "Every dispatch path against torch on test texts, which were not used for training."
    return Section("Agreement with the reference", text, [table], goals)


def _read(logits: Logits, manifest: Manifest) -> NDArray[np.float64]:
    """The probability of each label, then that of no label for a model that tells it."""
    probabilities = read_probabilities(logits, manifest)
    if manifest.outside is None:
        return probabilities
    return np.column_stack([probabilities, read_outside(logits)])
