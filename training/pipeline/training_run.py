"""A whole training: from a configuration to a sealed artifact in the model registry."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

from valence.service.classifier.manifest import Manifest
from valence.training.checks import suite
from valence.training.config.schema import Configuration
from valence.training.data.batches import EncodedTexts
from valence.training.data.preparation import Prepared, load_splits, prepare
from valence.training.distillation import transfer_set
from valence.training.evaluation import fitted_model
from valence.training.linear.ngram_model import fit_with_dev
from valence.training.linear.word_parts import load_ngram_vectors
from valence.training.metrics.scores import Evaluation
from valence.training.outside import detector
from valence.training.pipeline import publication
from valence.training.runtime import distributed, seeds
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace
from valence.training.tracking.tracker import UNTRACKED, Tracking
from valence.training.trainer import network
from valence.training.trainer.checkpoint import Epoch, hold_run
from valence.training.trainer.fitted_classifier import FittedClassifier, sum_models
from valence.training.trainer.network import TrainedNetwork

__all__ = ["Trained", "Workspace", "load_splits", "train_classifier"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained and stored classifier: its tag, and its evaluations on dev and, if any, test.

    ``doubts`` are sentences for the user (:mod:`valence.training.evaluation.doubts`).
    """

    tag: str
    manifest: Manifest
    evaluations: Mapping[str, Evaluation]
    baselines: Mapping[str, Evaluation]
    history: tuple[Epoch, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def judged(self) -> str:
        """The split of the final evaluation of the classifier and of the baselines."""
        return "test" if "test" in self.evaluations else "dev"


def train_classifier(
    configuration: Configuration,
    run: Run,
    *,
    fresh: bool = False,
    with_baselines: bool = True,
    tracking: Tracking = UNTRACKED,
    unchecked: bool = False,
) -> Trained:
    """Train, calibrate, evaluate and publish a classifier; continues an interrupted run.

    ``fresh`` discards an interrupted run first. Raises :class:`ConfigurationError` while another
    process works on the same run, and, unless ``unchecked``, for faulty data
    (:mod:`valence.training.checks.suite`).

    Where several processes train together, all processes call this function. The first process
    publishes, and all processes return the same result.
    """
    clock = publication.Clock()
    seeds.repeat_exactly(run.device)
    with distributed.first_rank_first():  # one process downloads for all
        prepared = prepare(configuration, run)
    if not unchecked and distributed.is_first():
        suite.check_before_training(
            configuration, prepared.raw.loaded, prepared.raw.splits, run.reporter
        )
    alone = configuration.ngrams is not None and configuration.ngrams.alone
    columns = None if alone else network.load_word_vectors(configuration, prepared, run)
    labelled = prepared
    if configuration.distillation is not None:
        taught = transfer_set.make_transfer_set(configuration, prepared, columns, run)
        prepared = taught.apply_to(prepared, configuration, run.reporter)
    key = network.run_key(configuration, prepared.identity, prepared.vocabulary)
    checkpoint = run.workspace.runs / f"{configuration.name}-{key}.safetensors"
    with hold_run(checkpoint) if distributed.is_first() else nullcontext():
        if fresh and distributed.is_first():
            checkpoint.unlink(missing_ok=True)
        tracking.begin(configuration, run=checkpoint.stem)
        trained = None
        if not alone:
            trained = network.train_network(
                configuration,
                prepared,
                columns,
                run=run,
                checkpoint=checkpoint,
                observe=tracking.log_epoch,
            )

        def publish() -> Trained:
            fitted = fit_classifier(trained, configuration, prepared if alone else labelled, run)
            evaluation = fitted_model.evaluate_fitted_model(
                fitted, prepared, configuration, with_baselines=with_baselines
            )
            told = detector.fit_detector(fitted, prepared, configuration, run)
            if told is not None:
                fitted = replace(fitted, outside=told.row)
                evaluation = replace(evaluation, outside=told.record)
            tag, manifest = publication.publish_classifier(
                fitted, prepared, evaluation, configuration, device=run.device, clock=clock
            )
            tracking.finish(manifest)
            for doubt in evaluation.doubts:
                run.reporter.say(f"warning: {doubt}")
            # delete the checkpoint last: until then an interruption costs at most one epoch
            checkpoint.unlink(missing_ok=True)
            return Trained(
                tag,
                manifest,
                evaluation.evaluations,
                evaluation.baselines,
                fitted.history,
                evaluation.doubts,
            )

        return distributed.broadcast_from_first(publish)


def fit_classifier(
    trained: TrainedNetwork | None, configuration: Configuration, prepared: Prepared, run: Run
) -> FittedClassifier:
    """The network that was ``trained``, if any, with the n-grams of ``configuration``, if any.

    N-grams beside a network learn the labels of ``prepared``, which no teacher has changed: a
    teacher has taught the network. N-grams alone learn from the teacher, if there is one.
    """
    settings, size = configuration.ngrams, len(prepared.vocabulary)
    if settings is None:
        return FittedClassifier(trained, None, size)
    assert isinstance(prepared.train, EncodedTexts)  # noqa: S101 - streamed texts are refused
    dev = prepared.held_out["dev"]
    vectors = load_ngram_vectors(configuration, prepared.vocabulary, run)
    ngrams, dev_logits = fit_with_dev(prepared.train, dev, prepared.vocabulary, settings, vectors)
    run.reporter.say(f"{ngrams.size:,} n-grams of up to {settings.words} words have weights")
    if trained is None:
        return FittedClassifier(None, ngrams, size, dev_logits)
    fitted, share = sum_models(trained, ngrams, dev, dev_logits, share=settings.share)
    run.reporter.say(f"the n-grams have {share:.0%} of the sum")
    return fitted
