"""From a fitted network to a sealed artifact in the model store."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from valence.service.classifier import artifact
from valence.service.classifier.manifest import Manifest, Normalization, Training
from valence.service.classifier.model import RecurrentClassifier, tensors
from valence.training.checks import profile
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.data.preparation import Prepared
from valence.training.embeddings import word_vectors
from valence.training.evaluation.fitted_model import Outcome
from valence.training.metrics.definitions import FIGURES
from valence.training.registry import store
from valence.training.report import model_card, training_report
from valence.training.runtime import provenance
from valence.training.trainer import loop
from valence.training.trainer.network import TrainedNetwork


class Clock:
    """When a run began, and how long it has taken."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC)
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._started


def publish(
    network: TrainedNetwork,
    prepared: Prepared,
    outcome: Outcome,
    configuration: Configuration,
    *,
    device: torch.device,
    clock: Clock,
) -> tuple[str, Manifest]:
    """Seal ``network`` with its report and the record of its training; its tag in the store."""
    weights = {name: value.cpu().numpy() for name, value in tensors(network.model).items()}
    selected = loop.select_epoch_one_standard_error(
        network.history, texts=len(prepared.held_out["dev"])
    )
    manifest = _make_manifest(
        network.model,
        outcome,
        configuration,
        version=_version(clock.start, weights),
        training=_record_training(
            prepared, configuration, epochs=selected.epoch, device=device, clock=clock
        ),
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / artifact.REPORT).mkdir()
        training_report.write(
            folder / artifact.REPORT / "report.html",
            manifest=manifest,
            evaluations=outcome.evaluations,
            baselines=outcome.baselines,
            history=network.history,
            behaviour=outcome.behaviour,
        )
        described = profile.profile_examples(
            prepared.raw.loaded.examples, vocabulary=prepared.vocabulary
        )
        (folder / artifact.REPORT / profile.FILE).write_text(
            described.model_dump_json() + "\n", encoding="utf-8"
        )
        card = folder / artifact.REPORT / model_card.FILE
        card.write_text(model_card.render(manifest), encoding="utf-8")
        artifact.save(folder, manifest, prepared.vocabulary, weights)
        return store.publish(folder, manifest), manifest


def _make_manifest(
    model: RecurrentClassifier,
    outcome: Outcome,
    configuration: Configuration,
    *,
    version: str,
    training: Training,
) -> Manifest:
    chosen = outcome.thresholds
    return Manifest(
        name=configuration.name,
        version=version,
        task=configuration.task,
        labels=configuration.labels,
        polarity=configuration.polarity,
        architecture=model.architecture,
        normalization=Normalization(misspelled=configuration.text.misspelled),
        max_tokens=configuration.text.max_tokens,
        temperature=outcome.temperature,
        thresholds=dict(zip(configuration.labels, chosen or (), strict=chosen is not None)),
        metrics={name: evaluation.as_json() for name, evaluation in outcome.evaluations.items()},
        intervals=dict(outcome.intervals),
        baselines={
            name: {figure: getattr(scores, figure) for figure in FIGURES}
            for name, scores in outcome.baselines.items()
        },
        behaviour={one.name: one.record() for one in outcome.behaviour},
        training=training,
    )


def _record_training(
    prepared: Prepared,
    configuration: Configuration,
    *,
    epochs: int,
    device: torch.device,
    clock: Clock,
) -> Training:
    raw, splits = prepared.raw, prepared.raw.splits
    return Training(
        corpora=raw.loaded.records,
        vectors=tuple(
            word_vectors.make_record(source, raw.in_domain_texts)
            for source in configuration.words.vectors
        ),
        teacher=prepared.teacher,
        unlabelled=raw.unlabelled.records,
        splits={name: len(splits.of(name)) for name in splits.names},
        split_sha256=dict(prepared.hashes),
        label_counts={
            name: _count_labels(splits.of(name), configuration.labels) for name in splits.names
        },
        configuration=configuration.as_json(),
        seed=configuration.optimization.seed,
        code_version=provenance.code_version(),
        packages=provenance.packages(),
        hardware=provenance.hardware(device),
        platform=provenance.operating_system(),
        started=clock.start.isoformat(timespec="seconds"),
        seconds=clock.seconds,
        peak_memory_bytes=provenance.peak_memory_bytes(),
        epochs=epochs,
    )


def _version(start: datetime, weights: artifact.Tensors) -> str:
    """When and what: the time orders versions, the hash shows whether two are the same weights.

    To the millisecond, for small networks are trained twice in a second.
    """
    whole = hashlib.sha256()
    for name in sorted(weights):
        whole.update(np.ascontiguousarray(weights[name]).tobytes())
    milliseconds = start.microsecond // 1_000
    return f"{start:%Y%m%dt%H%M%S}{milliseconds:03d}-{whole.hexdigest()[:8]}"


def _count_labels(examples: Sequence[Example], labels: Sequence[str]) -> dict[str, int]:
    """How many texts have each label."""
    counts = Counter(label for example in examples for label in example.labels)
    return {label: counts[label] for label in labels}
