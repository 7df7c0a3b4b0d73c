"""One trial of a search: a training that reports its dev macro-F1 after each epoch."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

from optuna.exceptions import TrialPruned
from optuna.trial import FrozenTrial, Trial, TrialState
from valence.service.files.lock import hold_lock
from valence.training.config.schema import Configuration
from valence.training.data import preparation
from valence.training.data.preparation import Prepared, RawData
from valence.training.distillation import transfer_set
from valence.training.distillation.transfer_set import TransferSet
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.experiments.search.study import REASON, RUN, Study
from valence.training.runtime import provenance
from valence.training.runtime.deadline import DeadlineReporter
from valence.training.runtime.run import Run
from valence.training.trainer import checkpoint as checkpoints
from valence.training.trainer import loop, network
from valence.training.trainer.checkpoint import Epoch

EPOCHS, CODE = "epochs", "code"
"""Attributes of a trial: the results of its epochs, and the version of the code."""


class Preparations:
    """Encoded texts and word vectors, made once for all trials that share them.

    Each trial reads streamed texts from the start.
    """

    def __init__(
        self,
        base: Configuration,
        run: Run,
    ) -> None:
        self._base = base
        self.run = run
        self._transfer_sets: dict[
            str, TransferSet
        ] = {}  # by data.targets, which teachers depend on
        self._prepared: dict[str, Prepared] = {}
        self._vectors: dict[str, WordVectors | None] = {}

    @cached_property
    def material(self) -> RawData:
        """The texts, which are the same for all trials."""
        return preparation.load_texts(self._base, self.run)

    def prepare(self, configuration: Configuration) -> Prepared:
        """The texts, encoded for ``configuration``."""
        words = configuration.words
        # with extra words, the vocabulary depends on the word vectors
        vocabulary_keys = [words.vectors, words.unseen] if words.unseen else []
        key = json.dumps(
            [configuration.text.model_dump(), configuration.data.targets, vocabulary_keys]
        )
        if self.material.source is not None or key not in self._prepared:
            prepared = preparation.encode_splits(
                self.material,
                configuration,
                self.run,
            )
            if configuration.distillation is not None:
                transfer = self._get_transfer_set(configuration, prepared)
                prepared = transfer.apply_to(prepared, configuration, self.run.reporter)
            self._prepared[key] = prepared
        return self._prepared[key]

    def _get_transfer_set(self, configuration: Configuration, prepared: Prepared) -> TransferSet:
        """The transfer set of the teachers, which depend on ``data.targets`` only."""
        targets = configuration.data.targets
        if targets not in self._transfer_sets:
            self._transfer_sets[targets] = transfer_set.make_transfer_set(
                configuration,
                prepared,
                None,  # word vectors are only needed by a network that is its own teacher
                self.run,
            )
        return self._transfer_sets[targets]

    def load_word_vectors(self, configuration: Configuration) -> WordVectors | None:
        """The pre-trained columns of the embedding of ``configuration``."""
        words = configuration.words
        key = json.dumps([configuration.text.model_dump(), words.model_dump()])
        if key not in self._vectors:
            self._vectors[key] = network.load_word_vectors(
                configuration, self.prepare(configuration), self.run
            )
        return self._vectors[key]


def train_trial(
    trial: Trial,
    configuration: Configuration,
    *,
    study: Study,
    preparations: Preparations,
    folder: Path,
    end: float,
) -> float:
    """Train one trial. Returns the dev macro-F1 of the chosen epoch; test texts are not used.

    An interrupted training continues from its checkpoint in ``folder``. The result of a finished
    trial with the same values after rounding is reused. Raises :class:`TrialPruned`,
    :class:`OutOfTime` at ``end`` of the monotonic clock, and
    :class:`valence.training.trainer.loop.Diverged`.
    """
    prepared = preparations.prepare(configuration)
    key = network.run_key(configuration, prepared.identity, prepared.vocabulary)
    trial.set_user_attr(RUN, key)
    trial.set_user_attr(CODE, provenance.code_version())
    # another process may train with the same values, and its result is that of this trial
    with hold_lock(folder / key, work="at the same trial", wait=True):
        before = study.find_trial(key)
        if before is not None:
            return _repeat_result(trial, before)
        return _train(trial, configuration, prepared, preparations, folder=folder, end=end)


def delete_checkpoint(trial: Trial, folder: Path) -> None:
    """Delete what :func:`train_trial` left of a trial that has ended."""
    key = trial.user_attrs.get(RUN)
    if key is not None:
        _find_checkpoint(folder, key).unlink(missing_ok=True)
    # other trials may have checkpoints in it
    with suppress(OSError):
        folder.rmdir()


def _find_checkpoint(folder: Path, key: str) -> Path:
    return folder / f"{key}.safetensors"


def _train(
    trial: Trial,
    configuration: Configuration,
    prepared: Prepared,
    preparations: Preparations,
    *,
    folder: Path,
    end: float,
) -> float:
    checkpoint = _find_checkpoint(folder, trial.user_attrs[RUN])
    saved = checkpoints.load_checkpoint(checkpoint)
    history = list(saved.history) if saved is not None else []
    for epoch in history:
        trial.report(epoch.dev_macro_f1, epoch.epoch)

    def observe(epoch: Epoch) -> None:
        history.append(epoch)
        trial.set_user_attr(EPOCHS, [asdict(past) for past in history])
        trial.report(epoch.dev_macro_f1, epoch.epoch)
        if trial.should_prune():
            raise TrialPruned

    limited_run = replace(
        preparations.run, reporter=DeadlineReporter(preparations.run.reporter, end)
    )
    network.train_network(
        configuration,
        prepared,
        preparations.load_word_vectors(configuration),
        run=limited_run,
        checkpoint=checkpoint,
        observe=observe,
    )
    return loop.select_epoch_one_standard_error(
        history, texts=len(prepared.held_out["dev"])
    ).dev_macro_f1


def _repeat_result(trial: Trial, before: FrozenTrial) -> float:
    """The result of the finished trial ``before``, which had the same training."""
    if before.state is TrialState.FAIL:
        raise loop.Diverged(before.user_attrs[REASON])
    trial.set_user_attr(EPOCHS, before.user_attrs[EPOCHS])
    for epoch, value in before.intermediate_values.items():
        trial.report(value, epoch)
    if before.state is TrialState.PRUNED or before.value is None:
        raise TrialPruned
    return before.value
