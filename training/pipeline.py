"""One configuration, one classifier: from corpora to a sealed artifact in the model store."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue

from service.classifier import artifact
from service.classifier.architecture import Architecture
from service.classifier.classifier import probabilities
from service.classifier.manifest import Manifest, Training
from service.classifier.model import RecurrentClassifier, tensors
from service.classifier.vocabulary import Vocabulary
from service.errors import ConfigurationError
from training import (
    baselines,
    calibration,
    corpora,
    fitting,
    provenance,
    report,
    store,
    thresholds,
    vectors,
    vocabulary,
)
from training.batches import EncodedTexts
from training.checkpoint import Epoch, alone
from training.configuration import Configuration
from training.corpora import Loaded
from training.evaluation import Evaluation, evaluate
from training.initialization import initialize
from training.progress import Reporter
from training.split import Splits, digest, split


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where things lie between runs: fetched archives, and runs that were interrupted."""

    root: Path

    @property
    def corpora(self) -> Path:
        """Fetched archives."""
        return self.root / "corpora"

    @property
    def runs(self) -> Path:
        """Checkpoints."""
        return self.root / "runs"


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out: where it is, and how good it is on dev and test."""

    tag: str
    manifest: Manifest
    evaluations: Mapping[str, Evaluation]
    baselines: Mapping[str, Evaluation]


def load_splits(
    configuration: Configuration, workspace: Workspace, reporter: Reporter
) -> tuple[Loaded, Splits]:
    """The corpora a configuration names, dealt out; says what was dropped."""
    data = configuration.data
    loaded = corpora.load(
        data.corpora,
        cache=workspace.corpora,
        own=data.files,
        table=data.table(configuration.task),
        progress=reporter.say,
    )
    for name, count in loaded.counts.items():
        reporter.say(
            f"{name}: {count.kept:,} texts ({count.read:,} read; dropped {count.empty:,} empty, "
            f"{count.duplicates_within:,} duplicates, {count.duplicates_across:,} duplicates of "
            "another corpus)"
        )
    used = {label for example in loaded.examples for label in example.labels}
    unknown = used - set(configuration.labels)
    if unknown:
        raise ConfigurationError(
            f"labels {list(configuration.labels)} lack {sorted(unknown)}, which the corpora use; "
            "add them to `labels` or leave the corpus out"
        )
    splits = split(loaded.examples)
    for name in ("train", "dev", "test"):
        if not getattr(splits, name):
            raise ConfigurationError(f"the {name} split is empty: too few texts to train on")
    return loaded, splits


def train(
    configuration: Configuration,
    *,
    workspace: Workspace,
    reporter: Reporter,
    device: torch.device,
    fresh: bool = False,
    with_baselines: bool = True,
) -> Trained:
    """Train, calibrate, evaluate, report and publish; continues a run that was interrupted.

    ``fresh`` forgets such a run first. Raises :class:`ConfigurationError` while another process is
    at the same run.
    """
    started = time.perf_counter()
    start_time = datetime.now(UTC)
    # the same seed gives the same weights, bit for bit, on the same machine; a GPU kernel without
    # a deterministic form warns instead of failing
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    loaded, splits = load_splits(configuration, workspace, reporter)
    hashes = {name: digest(getattr(splits, name)) for name in ("train", "dev", "test")}
    words = vocabulary.build(
        (example.text for example in splits.train),
        minimum_count=configuration.text.minimum_count,
        maximum_words=configuration.text.maximum_words,
    )
    encoded = {
        name: EncodedTexts(
            getattr(splits, name),
            words,
            labels=configuration.labels,
            max_tokens=configuration.text.max_tokens,
            use_shares=configuration.data.targets == "shares",
            task=configuration.task,
        )
        for name in ("train", "dev", "test")
    }
    reporter.say(
        f"{len(splits.train):,} / {len(splits.dev):,} / {len(splits.test):,} texts in train / dev "
        f"/ test, {encoded['train'].tokens:,} training tokens, {len(words):,} words"
    )
    checkpoint = workspace.runs / f"{configuration.name}-{_run_key(configuration, hashes, words)}"
    checkpoint = checkpoint.with_suffix(".safetensors")
    with alone(checkpoint):
        if fresh:
            checkpoint.unlink(missing_ok=True)
        model, history = _fit(
            configuration,
            words,
            encoded,
            workspace=workspace,
            device=device,
            checkpoint=checkpoint,
            reporter=reporter,
        )
        outputs = {name: fitting.logits(model, encoded[name]) for name in ("dev", "test")}
        temperature = calibration.fit_temperature(
            outputs["dev"].astype(np.float64), encoded["dev"].truth
        )
        answers = {
            name: probabilities(values, temperature=temperature, task=configuration.task)
            for name, values in outputs.items()
        }
        chosen = (
            thresholds.choose(answers["dev"], encoded["dev"].truth)
            if configuration.task == "multi_label"
            else None
        )
        evaluations = {
            name: evaluate(
                values, encoded[name].truth, labels=configuration.labels, thresholds=chosen
            )
            for name, values in answers.items()
        }
        beside = (
            baselines.score(
                splits.train,
                splits.test,
                labels=configuration.labels,
                task=configuration.task,
                dev=splits.dev,
            )
            if with_baselines
            else {}
        )
        weights = {name: value.cpu().numpy() for name, value in tensors(model).items()}
        manifest = Manifest(
            name=configuration.name,
            version=_version(start_time, weights),
            task=configuration.task,
            labels=configuration.labels,
            polarity=configuration.polarity,
            architecture=model.architecture,
            max_tokens=configuration.text.max_tokens,
            temperature=temperature,
            thresholds=dict(zip(configuration.labels, chosen or (), strict=chosen is not None)),
            metrics={name: evaluation.as_json() for name, evaluation in evaluations.items()},
            training=Training(
                corpora=loaded.records,
                splits={name: len(getattr(splits, name)) for name in hashes},
                split_sha256=hashes,
                configuration=_as_json(configuration),
                seed=configuration.optimization.seed,
                code_version=provenance.code_version(),
                packages=provenance.packages(),
                hardware=provenance.hardware(device),
                started=start_time.isoformat(timespec="seconds"),
                seconds=time.perf_counter() - started,
                peak_memory_bytes=provenance.peak_memory_bytes(),
                epochs=fitting.best_epoch(history).epoch,
            ),
        )
        tag = _publish(
            manifest, words, weights, evaluations=evaluations, beside=beside, history=history
        )
        # only now: an interruption before this line costs the time since the last epoch, no more
        checkpoint.unlink(missing_ok=True)
        return Trained(tag, manifest, evaluations, beside)


def _fit(
    configuration: Configuration,
    words: Vocabulary,
    encoded: Mapping[str, EncodedTexts],
    *,
    workspace: Workspace,
    device: torch.device,
    checkpoint: Path,
    reporter: Reporter,
) -> tuple[RecurrentClassifier, tuple[Epoch, ...]]:
    pretrained = None
    if configuration.words.vectors is not None:
        pretrained = vectors.load(
            configuration.words.vectors,
            words,
            cache=workspace.corpora,
            progress=reporter.say,
        )
        reporter.say(
            f"{configuration.words.vectors}: vectors for {pretrained.found.mean():.0%} of the words"
        )
    columns = 0 if pretrained is None else pretrained.values.shape[1]
    model = RecurrentClassifier(
        Architecture(
            vocabulary_size=len(words),
            embedding_size=columns + configuration.words.learned_size,
            labels=len(configuration.labels),
            **configuration.network.model_dump(),
        ),
        embedding_dropout=configuration.regularization.embedding_dropout,
        recurrent_dropout=configuration.regularization.recurrent_dropout,
        output_dropout=configuration.regularization.output_dropout,
    )
    initialize(model, pretrained, seed=configuration.optimization.seed)
    history = fitting.fit(
        model,
        encoded["train"],
        encoded["dev"],
        optimization=configuration.optimization,
        regularization=configuration.regularization,
        frozen_columns=0 if configuration.words.trainable else columns,
        device=device,
        checkpoint=checkpoint,
        reporter=reporter,
    )
    return model, history


def _publish(
    manifest: Manifest,
    words: Vocabulary,
    weights: artifact.Tensors,
    *,
    evaluations: Mapping[str, Evaluation],
    beside: Mapping[str, Evaluation],
    history: tuple[Epoch, ...],
) -> str:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / artifact.REPORT).mkdir()
        report.write(
            folder / artifact.REPORT / "report.html",
            manifest=manifest,
            evaluations=evaluations,
            baselines=beside,
            history=history,
        )
        artifact.save(folder, manifest, words, weights)
        return store.publish(folder, manifest)


def _version(start: datetime, weights: artifact.Tensors) -> str:
    """When and what: the time orders versions, the hash shows whether two are the same weights."""
    whole = hashlib.sha256()
    for name in sorted(weights):
        whole.update(np.ascontiguousarray(weights[name]).tobytes())
    return f"{start:%Y%m%dt%H%M%S}-{whole.hexdigest()[:8]}"


def _run_key(configuration: Configuration, hashes: Mapping[str, str], words: Vocabulary) -> str:
    """Names a run by all that its result depends on, so that only the same run is continued."""
    content = [_as_json(configuration), dict(hashes), list(words), provenance.packages()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _as_json(configuration: Configuration) -> dict[str, JsonValue]:
    return configuration.model_dump(mode="json", exclude={"expected"})
