"""A model store, data that can change between two runs, and a small network."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from valence.service.classifier import artifact
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.config.loader import parse_configuration
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.pipeline import retraining, training_run
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.verdict import Verdict
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace


class Rig:
    """One model, retrained from one file."""

    def __init__(self, root: Path, name: str, settings: dict[str, dict[str, object]]) -> None:
        self.name = name
        self.file = root / f"{name}.csv"
        self.workspace = Workspace(root)
        self._settings = settings
        self._labels: list[str] = []

    def write(self, examples: Iterable[Example]) -> None:
        """Replace the content of the file by ``examples``."""
        rows = [(example.text, example.labels[0]) for example in examples]
        self._labels = self._labels or sorted({label for _, label in rows})
        with self.file.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])

    def configuration(self, seed: int) -> Configuration:
        """Return the configuration; runs differ only in the seed."""
        optimization = {**self._settings.get("optimization", {}), "seed": seed}
        return parse_configuration(
            {
                "name": self.name,
                "labels": self._labels,
                "data": {"files": str(self.file)},
                **self._settings,
                "optimization": optimization,
            },
            source="the trial",
        )

    def retrain(self, seed: int, reporter: Reporter | None = None) -> Verdict:
        """Retrain like ``make retrain``."""
        verdict, _ = retraining.retrain_model(
            self.configuration(seed),
            run=Run(self.workspace, reporter or Reporter(quiet_in_logs=True)),
            rules=Rules(),
        )
        return verdict

    def train_unreadable(self, seed: int) -> str:
        """Train a version, and replace it by one whose words no tokenizer yields."""
        tag = training_run.train_classifier(
            self.configuration(seed),
            run=Run(self.workspace, Reporter(quiet_in_logs=True)),
            with_baselines=False,
        ).tag
        whole = artifact.load(store.find_model(tag))
        first, *words = whole.vocabulary.words
        broken = Vocabulary([first, *(f"{word.upper()}\u2581" for word in words)])
        version = f"{whole.manifest.version}-deaf"
        manifest = whole.manifest.model_copy(update={"version": version})
        folder = self.workspace.root / version
        folder.mkdir()
        artifact.save(folder, manifest, broken, whole.tensors)
        return store.publish_model(folder, manifest)
