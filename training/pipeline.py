"""One configuration, one classifier: from corpora to a sealed artifact in the model store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from service.classifier.architecture import Architecture
from service.classifier.manifest import Manifest
from service.classifier.model import RecurrentClassifier
from service.classifier.vocabulary import Vocabulary
from training import checks, fitting, outcome, provenance, publication, ranks, seeds, vectors
from training.checkpoint import Epoch, alone
from training.configuration import Configuration
from training.evaluation import Evaluation
from training.hashing import sha256_of_json
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
    seeds.repeat_exactly(device)
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
        columns = word_vectors(configuration, prepared, workspace, reporter)
        model, history = fit(
            configuration,
            prepared,
            columns,
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
    configuration: Configuration, prepared: Prepared, workspace: Workspace, reporter: Reporter
) -> WordVectors | None:
    """The pre-trained columns of the embedding; None if the configuration names no vectors."""
    if not configuration.words.vectors:
        return None
    return vectors.load(
        configuration.words.vectors,
        prepared.words,
        encoder_size=configuration.words.encoder_size,
        in_domain_size=configuration.words.in_domain_size,
        texts=prepared.domain,
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
    model = _network(configuration, prepared.words, pretrained)
    initialize(model, pretrained, seed=configuration.optimization.seed)
    history = fitting.fit(
        model,
        prepared.train,
        prepared.encoded["dev"],
        optimization=configuration.optimization,
        regularization=configuration.regularization,
        frozen_columns=_frozen(configuration, pretrained),
        device=device,
        checkpoint=checkpoint,
        reporter=reporter,
        observe=observe,
    )
    return model, history


def _network(
    configuration: Configuration, words: Vocabulary, pretrained: WordVectors | None
) -> RecurrentClassifier:
    return RecurrentClassifier(
        Architecture(
            vocabulary_size=len(words),
            embedding_size=_columns(pretrained) + configuration.words.learned_size,
            labels=len(configuration.labels),
            **configuration.network.model_dump(),
        )
    )


def _frozen(configuration: Configuration, pretrained: WordVectors | None) -> int:
    """How many columns of the embedding stay as they are."""
    return 0 if configuration.words.trainable else _columns(pretrained)


def _columns(pretrained: WordVectors | None) -> int:
    return 0 if pretrained is None else pretrained.values.shape[1]


def run_key(configuration: Configuration, hashes: Mapping[str, str], words: Vocabulary) -> str:
    """Names a run by all that its result depends on, so that only the same run is continued."""
    content = [configuration.as_json(), dict(hashes), list(words), provenance.packages()]
    return sha256_of_json(content)[:16]
