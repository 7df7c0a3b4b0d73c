"""One trial: a configuration trained as ever, its dev macro-F1 told after each epoch."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

from optuna.exceptions import TrialPruned
from optuna.trial import FrozenTrial, Trial, TrialState
from valence.training.config.schema import Configuration
from valence.training.data import preparation
from valence.training.data.preparation import Prepared, RawData
from valence.training.distillation import transfer_set
from valence.training.distillation.transfer_set import TransferSet
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.experiments.search.study import REASON, RUN, Study
from valence.training.runtime import provenance
from valence.training.runtime.progress import Advance, Reporter
from valence.training.runtime.run import Run
from valence.training.trainer import checkpoint as checkpoints
from valence.training.trainer import loop, network
from valence.training.trainer.checkpoint import Epoch

EPOCHS, CODE = "epochs", "code"
"""What a trial keeps beside its values: what its epochs came to, and the code that trained it."""


class OutOfTime(Exception):
    """The search's time is up; the trial goes on from its last epoch the next time."""


class Preparations:
    """Texts as word ids, and word vectors, made once for all trials that share them.

    Streamed texts are a stream, which each trial reads from its start.
    """

    def __init__(
        self,
        base: Configuration,
        run: Run,
    ) -> None:
        self._base = base
        self.run = run
        self._taught: dict[str, TransferSet] = {}  # by what the teachers learn
        self._prepared: dict[str, Prepared] = {}
        self._vectors: dict[str, WordVectors | None] = {}

    @cached_property
    def material(self) -> RawData:
        """The texts: the same for every trial."""
        return preparation.load_texts(self._base, self.run)

    def of(self, configuration: Configuration) -> Prepared:
        """The word ids of ``configuration``."""
        words = configuration.words
        # a list of words is then part of the vocabulary
        of_words = [words.vectors, words.unseen] if words.unseen else []
        key = json.dumps([configuration.text.model_dump(), configuration.data.targets, of_words])
        if self.material.source is not None or key not in self._prepared:
            prepared = preparation.encode_splits(
                self.material,
                configuration,
                self.run,
            )
            if configuration.distillation is not None:
                taught = self._taught_by(configuration, prepared)
                prepared = taught.apply_to(prepared, configuration, self.run.reporter)
            self._prepared[key] = prepared
        return self._prepared[key]

    def _taught_by(self, configuration: Configuration, prepared: Prepared) -> TransferSet:
        """What teachers say, whom no axis but what they learn themselves changes."""
        targets = configuration.data.targets
        if targets not in self._taught:
            self._taught[targets] = transfer_set.make_transfer_set(
                configuration,
                prepared,
                None,  # which only a network that teaches itself would begin with
                self.run,
            )
        return self._taught[targets]

    def vectors(self, configuration: Configuration) -> WordVectors | None:
        """The pre-trained columns of its embedding."""
        words = configuration.words
        key = json.dumps([configuration.text.model_dump(), words.model_dump()])
        if key not in self._vectors:
            self._vectors[key] = network.load_word_vectors(
                configuration, self.of(configuration), self.run
            )
        return self._vectors[key]


class _Timed(Reporter):
    """Draws its bar in terminals and is silent in logs; raises :class:`OutOfTime` at ``end``."""

    def __init__(self, reporter: Reporter, end: float) -> None:
        super().__init__(reporter.console, quiet_in_logs=True)
        self._end = end

    @contextmanager
    def bar(self, title: str, *, total: int, done: int = 0, note: str = "") -> Iterator[Advance]:
        """As any, but for its end."""
        with super().bar(title, total=total, done=done, note=note) as advance:

            def timed(*, tokens_per_second: float) -> None:
                advance(tokens_per_second=tokens_per_second)
                if time.monotonic() >= self._end:
                    raise OutOfTime

            yield timed


def train_trial(
    trial: Trial,
    configuration: Configuration,
    *,
    study: Study,
    preparations: Preparations,
    folder: Path,
    end: float,
) -> float:
    """The dev macro-F1 of the epoch that is chosen; test texts are not looked at.

    A training that was interrupted goes on from its checkpoint in ``folder``; one that was seen to
    its end before, by the same values after rounding, is not done again. Raises
    :class:`TrialPruned`, :class:`OutOfTime` at ``end`` of the monotonic clock, and
    :class:`valence.training.trainer.loop.Diverged`.
    """
    prepared = preparations.of(configuration)
    key = network.run_key(configuration, prepared.identity, prepared.vocabulary)
    before = study.same(key)
    trial.set_user_attr(RUN, key)
    trial.set_user_attr(CODE, provenance.code_version())
    if before is not None:
        return _again(trial, before)
    checkpoint = folder / f"{key}.safetensors"
    saved = checkpoints.load_checkpoint(checkpoint)
    history = list(saved.history) if saved is not None else []
    for epoch in history:
        trial.report(epoch.dev_macro_f1, epoch.epoch)

    def observe(epoch: Epoch) -> None:
        history.append(epoch)
        trial.set_user_attr(EPOCHS, [asdict(one) for one in history])
        trial.report(epoch.dev_macro_f1, epoch.epoch)
        if trial.should_prune():
            raise TrialPruned

    timed = replace(preparations.run, reporter=_Timed(preparations.run.reporter, end))
    network.train_network(
        configuration,
        prepared,
        preparations.vectors(configuration),
        run=timed,
        checkpoint=checkpoint,
        observe=observe,
    )
    return loop.select_epoch_one_standard_error(
        history, texts=len(prepared.held_out["dev"])
    ).dev_macro_f1


def _again(trial: Trial, before: FrozenTrial) -> float:
    """The end that the same training came to."""
    if before.state is TrialState.FAIL:
        raise loop.Diverged(before.user_attrs[REASON])
    trial.set_user_attr(EPOCHS, before.user_attrs[EPOCHS])
    for epoch, value in before.intermediate_values.items():
        trial.report(value, epoch)
    if before.state is TrialState.PRUNED or before.value is None:
        raise TrialPruned
    return before.value
