"""One configuration, one classifier: from corpora to a sealed artifact in the model store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from service.classifier.architecture import Architecture
from service.classifier.manifest import Manifest
from service.classifier.model import RecurrentClassifier
from service.classifier.vocabulary import Vocabulary
from training import checks, fitting, outcome, provenance, publication, ranks, vectors
from training.checkpoint import Epoch, alone
from training.configuration import Configuration
from training.evaluation import Evaluation
from training.initialization import initialize
from training.preparation import Prepared, Workspace, load_splits, prepare, taught
from training.progress import Reporter
from training.tracking import UNTRACKED, Tracking
from training.vectors import WordVectors

__all__ = ["Trained", "Workspace", "load_splits", "train"]


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out: where it is, and how good it is on dev, and on test where there is one."""

    tag: str
    manifest: Manifest
    evaluations: Mapping[str, Evaluation]
    baselines: Mapping[str, Evaluation]
    history: tuple[Epoch, ...] = ()

    @property
    def judged(self) -> str:
        """The split that its figures, and the baselines', are of."""
        return "test" if "test" in self.evaluations else "dev"


def train(
    configuration: Configuration,
    *,
    workspace: Workspace,
    reporter: Reporter,
    device: torch.device,
    fresh: bool = False,
    with_baselines: bool = True,
    tracking: Tracking = UNTRACKED,
    unchecked: bool = False,
) -> Trained:
    """Train, calibrate, evaluate, report and publish; continues a run that was interrupted.

    ``fresh`` forgets such a run first. Raises :class:`ConfigurationError` while another process is
    at the same run, and, unless ``unchecked``, for data that are wrong (:mod:`training.checks`).


    Where several processes train together, all call this, the first publishes, and all return it.
    """
    clock = publication.Clock()
    # the same seed gives the same weights, bit for bit, on the same machine; a GPU kernel without
    # a deterministic form warns instead of failing
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    with ranks.one_before_the_others():  # what is fetched, is fetched once
        prepared = prepare(configuration, workspace, reporter)
    if not unchecked and ranks.is_first():
        checks.before_training(configuration, prepared.loaded, prepared.splits, reporter)
    prepared = taught(
        prepared, configuration, workspace=workspace, device=device, reporter=reporter
    )
    key = run_key(configuration, prepared.identity, prepared.words)
    checkpoint = workspace.runs / f"{configuration.name}-{key}.safetensors"
    with alone(checkpoint) if ranks.is_first() else nullcontext():
        if fresh and ranks.is_first():
            checkpoint.unlink(missing_ok=True)
        tracking.begin(configuration, run=checkpoint.stem)
        model, history = fit(
            configuration,
            prepared,
            word_vectors(configuration, prepared.words, workspace, reporter),
            device=device,
            checkpoint=checkpoint,
            reporter=reporter,
            observe=tracking.epoch,
        )

        def publish() -> Trained:
            found = outcome.judge(model, prepared, configuration, with_baselines=with_baselines)
            tag, manifest = publication.publish(
                model, prepared, found, configuration, history=history, device=device, clock=clock
            )
            tracking.finish(manifest)
            # only now: an interruption before it costs the time since the last epoch, no more
            checkpoint.unlink(missing_ok=True)
            return Trained(tag, manifest, found.evaluations, found.baselines, history)

        return ranks.from_first(publish)


def word_vectors(
    configuration: Configuration, words: Vocabulary, workspace: Workspace, reporter: Reporter
) -> WordVectors | None:
    """The pre-trained columns of the embedding; None if the configuration names no vectors."""
    if not configuration.words.vectors:
        return None
    return vectors.load(
        configuration.words.vectors,
        words,
        encoder_size=configuration.words.encoder_size,
        cache=workspace.corpora,
        progress=reporter.say,
    )


def fit(
    configuration: Configuration,
    prepared: Prepared,
    pretrained: WordVectors | None,
    *,
    device: torch.device,
    checkpoint: Path,
    reporter: Reporter,
    observe: Callable[[Epoch], None],
) -> tuple[RecurrentClassifier, tuple[Epoch, ...]]:
    """The network that ``configuration`` describes with the weights of its chosen epoch, and the
    history of all; see :func:`training.fitting.fit`.
    """
    columns = 0 if pretrained is None else pretrained.values.shape[1]
    model = RecurrentClassifier(
        Architecture(
            vocabulary_size=len(prepared.words),
            embedding_size=columns + configuration.words.learned_size,
            labels=len(configuration.labels),
            **configuration.network.model_dump(),
        )
    )
    initialize(model, pretrained, seed=configuration.optimization.seed)
    history = fitting.fit(
        model,
        prepared.train,
        prepared.encoded["dev"],
        optimization=configuration.optimization,
        regularization=configuration.regularization,
        frozen_columns=0 if configuration.words.trainable else columns,
        device=device,
        checkpoint=checkpoint,
        reporter=reporter,
        observe=observe,
    )
    return model, history


def run_key(configuration: Configuration, hashes: Mapping[str, str], words: Vocabulary) -> str:
    """Names a run by all that its result depends on, so that only the same run is continued."""
    content = [configuration.as_json(), dict(hashes), list(words), provenance.packages()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
