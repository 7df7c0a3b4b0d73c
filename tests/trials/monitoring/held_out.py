"""The held-out texts of a model, with its answers as a monitor reads them.

Nothing here imports torch: the texts are split and answered as in training and serving, without a
network to train.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier, Prediction
from valence.service.inference.engines import factory
from valence.service.monitoring.signals import AnswerReader, Rows
from valence.service.observability.log import Log
from valence.service.registry.locations import find_model
from valence.training.config.loader import load_configuration
from valence.training.corpora import catalog
from valence.training.corpora.example import Example
from valence.training.data.split import split_by_hash

PRESETS = Path(__file__).parents[3] / "training" / "config" / "presets"
_BATCH = 256


class Answers(NamedTuple):
    """Texts with the probabilities of their labels ``(N, K)`` and their signals ``(N, 4)``."""

    examples: Sequence[Example]
    probabilities: NDArray[np.float64]
    rows: Rows


class ServedModel:
    """A stored model on the engine that serves it, with the texts that it was not trained on."""

    def __init__(self, name: str, workspace: Path) -> None:
        path = PRESETS / f"{name}.toml"
        configuration = load_configuration(path if path.exists() else Path(name))
        data = configuration.data
        if not data.has_test:
            raise SystemExit(f"error: {name} has no test texts; leave data.dev and data.split out")
        texts = catalog.load_corpora(
            data.corpora,
            cache=workspace / "corpora",
            patterns=data.files,
            columns=data.columns(configuration.task),
        )
        # near-duplicates are taken out of train alone, so dev and test are those of the training
        self.splits = split_by_hash(texts.examples)
        loaded = artifact.load(find_model(configuration.name))
        self.name = configuration.name
        self.classifier = Classifier(loaded)
        self.manifest = loaded.manifest
        self._engine = factory.create(loaded, name="auto", log=Log(sys.stderr))
        self.reader = AnswerReader(loaded.manifest, loaded.reference)

    def answer(self, examples: Sequence[Example]) -> Answers:
        """Answer ``examples`` as a service does."""
        documents = [self.classifier.encode_head(example.text) for example in examples]
        predictions: list[Prediction] = []
        for start in range(0, len(documents), _BATCH):
            part = [document.ids for document in documents[start : start + _BATCH]]
            predictions += self.classifier.predict(self._engine.logits(part))
        rows = self.reader.read(predictions, [document.usage for document in documents])
        return Answers(examples, np.array([one.probabilities for one in predictions]), rows)

    def find_truth(self, examples: Sequence[Example]) -> NDArray[np.int64]:
        """The index of the label of each example; -1 for a label that the model does not have."""
        places = {label: index for index, label in enumerate(self.manifest.labels)}
        return np.array([places.get(str(example.label), -1) for example in examples])
