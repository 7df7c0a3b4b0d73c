"""The publication of a fitted classifier: a sealed artifact in the model registry."""

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
from valence.service.classifier import artifact, golden, reference
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier
from valence.service.classifier.manifest import Manifest, Normalization, Sentences, Training
from valence.service.classifier.reference import Reference
from valence.service.classifier.tokenizer import Rules
from valence.service.inference.engines import factory
from valence.training.checks import language, profile
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.data.preparation import Prepared
from valence.training.embeddings import word_vectors
from valence.training.evaluation.fitted_model import FittedEvaluation
from valence.training.evaluation.reference import count_answers
from valence.training.metrics.definitions import METRICS
from valence.training.registry import store
from valence.training.report import model_card, training_report
from valence.training.runtime import provenance
from valence.training.trainer import loop
from valence.training.trainer.fitted_classifier import FittedClassifier


class Clock:
    """The start and the duration of a run."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC)
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start of the run."""
        return time.perf_counter() - self._started


def publish_classifier(
    fitted: FittedClassifier,
    prepared: Prepared,
    evaluation: FittedEvaluation,
    configuration: Configuration,
    *,
    device: torch.device,
    clock: Clock,
) -> tuple[str, Manifest]:
    """Seal ``fitted`` with its report and its provenance. Returns its tag and its manifest."""
    weights = fitted.tensors()
    epochs = 0
    if fitted.history:
        epochs = loop.select_epoch_one_standard_error(
            fitted.history, texts=len(prepared.held_out["dev"])
        ).epoch
    manifest = _make_manifest(
        fitted.architecture,
        evaluation,
        configuration,
        version=_make_version(clock.start, weights),
        rules=prepared.vocabulary.rules,
        training=_record_training(
            fitted, prepared, configuration, epochs=epochs, device=device, clock=clock
        ),
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / artifact.REPORT).mkdir()
        training_report.write_training_report(
            folder / artifact.REPORT / "report.html",
            manifest=manifest,
            evaluations=evaluation.evaluations,
            baselines=evaluation.baselines,
            history=fitted.history,
            behaviour=evaluation.behaviour,
        )
        data_profile = profile.profile_examples(
            prepared.raw.loaded.examples, vocabulary=prepared.vocabulary
        )
        (folder / artifact.REPORT / profile.FILE).write_text(
            data_profile.model_dump_json() + "\n", encoding="utf-8"
        )
        card = folder / artifact.REPORT / model_card.FILE
        card.write_text(model_card.render_model_card(manifest), encoding="utf-8")
        trained = Artifact(manifest, prepared.vocabulary, weights)
        golden.write(folder / artifact.REPORT / golden.FILE, _record_answers(trained))
        reference.write(
            folder / artifact.REPORT / reference.FILE,
            _record_reference(trained, prepared, evaluation),
        )
        artifact.save(folder, manifest, prepared.vocabulary, weights)
        return store.publish_model(folder, manifest), manifest


def _make_manifest(
    architecture: Architecture,
    evaluation: FittedEvaluation,
    configuration: Configuration,
    *,
    version: str,
    rules: Rules,
    training: Training,
) -> Manifest:
    thresholds = evaluation.thresholds
    return Manifest(
        name=configuration.name,
        version=version,
        task=configuration.task,
        labels=configuration.labels,
        polarity=configuration.polarity,
        architecture=architecture,
        normalization=Normalization(
            tokenizer=rules,
            misspelled=configuration.text.misspelled,
            emoji=configuration.text.emoji,
        ),
        max_tokens=configuration.text.max_tokens,
        temperature=evaluation.temperature,
        thresholds=dict(zip(configuration.labels, thresholds or (), strict=thresholds is not None)),
        outside=evaluation.outside,
        sentences=_describe_sentences(configuration),
        metrics={name: scores.as_json() for name, scores in evaluation.evaluations.items()},
        intervals=dict(evaluation.intervals),
        baselines={
            name: {metric: getattr(scores, metric) for metric in METRICS}
            for name, scores in evaluation.baselines.items()
        },
        behaviour={capability.name: capability.record() for capability in evaluation.behaviour},
        training=training,
    )


def _describe_sentences(configuration: Configuration) -> Sentences | None:
    settings = configuration.text
    if not settings.sentences_above:
        return None
    return Sentences(longer_than=settings.sentences_above, sharpness=settings.sharpness)


def _list_vectors(fitted: FittedClassifier, configuration: Configuration) -> list[str]:
    """The sources of the vectors that the network or the n-grams have learnt from."""
    of_network = () if fitted.network is None else configuration.words.vectors
    of_ngrams = () if configuration.ngrams is None else configuration.ngrams.vectors
    return list(dict.fromkeys((*of_network, *of_ngrams)))


def _record_training(
    fitted: FittedClassifier,
    prepared: Prepared,
    configuration: Configuration,
    *,
    epochs: int,
    device: torch.device,
    clock: Clock,
) -> Training:
    raw, splits = prepared.raw, prepared.raw.splits
    shares = {} if fitted.network is None else fitted.network.vector_shares
    return Training(
        corpora=raw.loaded.records,
        vectors=tuple(
            word_vectors.make_record(source, raw.in_domain_texts, shares.get(source))
            for source in _list_vectors(fitted, configuration)
        ),
        teacher=prepared.teacher,
        unlabelled=raw.unlabelled.records,
        splits={name: len(splits.of(name)) for name in splits.names},
        split_sha256=dict(prepared.hashes),
        language=language.detect_language([example.text for example in raw.loaded.examples]),
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


def _record_answers(trained: Artifact) -> list[golden.GoldenAnswer]:
    """The answers by which a service will check that it serves what was trained."""
    classifier, engine = Classifier(trained), factory.create_reference(trained)
    texts = golden.choose_texts(trained.vocabulary.words)
    documents = [classifier.encode_head(text).ids for text in texts]
    return [
        golden.GoldenAnswer(
            text=text, probabilities=prediction.probabilities, outside=prediction.outside
        )
        for text, prediction in zip(
            texts, classifier.predict(engine.logits(documents)), strict=True
        )
    ]


def _record_reference(
    trained: Artifact, prepared: Prepared, evaluation: FittedEvaluation
) -> Reference:
    """The answers to the held-out texts, which a service compares its answers with."""
    held_out, splits = prepared.held_out, prepared.raw.splits
    names = [name for name in splits.names if name in held_out]
    return count_answers(
        Classifier(trained),
        [example.text for name in names for example in splits.of(name)],
        np.concatenate([evaluation.probabilities[name] for name in names]),
        np.concatenate([held_out[name].truth for name in names]),
    )


def _make_version(start: datetime, weights: artifact.Tensors) -> str:
    """The version: its time orders versions, its hash identifies the weights.

    The time has milliseconds because small networks are trained within a second.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(np.ascontiguousarray(weights[name]).tobytes())
    milliseconds = start.microsecond // 1_000
    return f"{start:%Y%m%dt%H%M%S}{milliseconds:03d}-{digest.hexdigest()[:8]}"


def _count_labels(examples: Sequence[Example], labels: Sequence[str]) -> dict[str, int]:
    """The number of texts with each label."""
    counts = Counter(label for example in examples for label in example.labels)
    return {label: counts[label] for label in labels}
