"""One configuration, one classifier: from corpora to a sealed artifact in the model store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from valence.service.classifier.manifest import Manifest
from valence.training.checks import suite
from valence.training.config.schema import Configuration
from valence.training.data.preparation import load_splits, prepare
from valence.training.distillation import transfer_set
from valence.training.evaluation import fitted_model
from valence.training.metrics.scores import Evaluation
from valence.training.pipeline import publication
from valence.training.runtime import distributed, seeds
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace
from valence.training.tracking.tracker import UNTRACKED, Tracking
from valence.training.trainer import network
from valence.training.trainer.checkpoint import Epoch, hold_run

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
    run: Run,
    *,
    fresh: bool = False,
    with_baselines: bool = True,
    tracking: Tracking = UNTRACKED,
    unchecked: bool = False,
) -> Trained:
    """Train, calibrate, evaluate, report and publish; continues a run that was interrupted.

    ``fresh`` forgets such a run first. Raises :class:`ConfigurationError` while another process is
    at the same run, and, unless ``unchecked``, for data that are wrong (:mod:`valence.training.checks.suite`).

    Where several processes train together, all call this, the first publishes, and all return it.
    """
    clock = publication.Clock()
    seeds.repeat_exactly(run.device)
    with distributed.first_rank_first():  # what is fetched, is fetched once
        prepared = prepare(configuration, run)
    if not unchecked and distributed.is_first():
        suite.check_before_training(
            configuration, prepared.raw.loaded, prepared.raw.splits, run.reporter
        )
    columns = network.load_word_vectors(configuration, prepared, run)
    if configuration.distillation is not None:
        taught = transfer_set.make_transfer_set(configuration, prepared, columns, run)
        prepared = taught.apply_to(prepared, configuration, run.reporter)
    key = network.run_key(configuration, prepared.identity, prepared.vocabulary)
    checkpoint = run.workspace.runs / f"{configuration.name}-{key}.safetensors"
    with hold_run(checkpoint) if distributed.is_first() else nullcontext():
        if fresh and distributed.is_first():
            checkpoint.unlink(missing_ok=True)
        tracking.begin(configuration, run=checkpoint.stem)
        trained = network.train_network(
            configuration,
            prepared,
            columns,
            run=run,
            checkpoint=checkpoint,
            observe=tracking.epoch,
        )

        def publish() -> Trained:
            found = fitted_model.judge(
                trained.model, prepared, configuration, with_baselines=with_baselines
            )
            tag, manifest = publication.publish(
                trained, prepared, found, configuration, device=run.device, clock=clock
            )
            tracking.finish(manifest)
            # only now: an interruption before it costs the time since the last epoch, no more
            checkpoint.unlink(missing_ok=True)
            return Trained(tag, manifest, found.evaluations, found.baselines, trained.history)

        return distributed.broadcast_from_first(publish)
