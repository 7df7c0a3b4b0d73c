"""The study of a search: Optuna keeps its trials in an SQLite file that survives interruptions.

Several processes may work on a study. A trial that is running, and on which no process works, died
with its process. The trial counts as failed and its values are tried again; the training continues
from its checkpoint. The values of a trial that died :data:`MAX_STARTS` times are not tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from valence.service.errors import ConfigurationError
from valence.training.experiments.search.processes import Processes, join_processes
from valence.training.experiments.search.space import Space

MAX_STARTS = 3
# trials before the first pruning by the median, and the first epoch after which a trial may be
# pruned: warm-up takes much of the first epoch
_UNPRUNED, _PRUNED_FROM = 5, 2

REASON, RUN = "reason", "run"
"""Attributes of a trial: why it failed, and the key of its run.

The key is that of :func:`valence.training.trainer.network.run_key`.
"""

# how long a process waits for another that writes
_WRITE_SECONDS = 60
_FINGERPRINT = "fingerprint"
_STARTS, _RETRY_OF = "starts", "again"


class Study:
    """The trials in a space; made by :func:`open_study`."""

    def __init__(
        self,
        study: optuna.Study,
        storage: optuna.storages.RDBStorage,
        processes: Processes,
        space: Space,
        seed: int,
    ) -> None:
        self._study = study
        self._storage = storage
        self._processes = processes
        self._space = space
        self._seed = seed

    @property
    def name(self) -> str:
        """The name of the study."""
        return self._study.study_name

    @property
    def trials(self) -> list[FrozenTrial]:
        """The finished trials in order: complete, pruned, or failed with a reason."""
        return [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
            or (trial.state is TrialState.FAIL and REASON in trial.user_attrs)
        ]

    @property
    def best(self) -> FrozenTrial | None:
        """The first complete trial with the highest dev macro-F1."""
        complete = [trial for trial in self.trials if trial.state is TrialState.COMPLETE]
        return max(complete, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)

    def compute_importances(self) -> dict[str, float]:
        """The importance of each key for the better complete trials, highest first.

        The importance is a share, by PED-ANOVA (Watanabe et al., IJCAI 2023).
        """
        return optuna.importance.get_param_importances(self._study)

    def ask_trial(self, limit: int) -> Trial | None:
        """An interrupted trial if there is one, else a new trial.

        None if there are ``limit`` trials, those of other processes counted that are running.

        The trial depends on the seed, on the finished trials and on how many are running, so an
        interrupted search of one process proposes the same trials as an uninterrupted search.
        """
        with self._processes.take_turn():
            self._postpone_dead()
            running = len(self._find_running())
            known = len(self.trials) + running
            if known >= limit:
                return None
            # running trials count as poor ones, so that processes do not try the same values
            self._study.sampler = optuna.samplers.TPESampler(
                seed=self._seed + known, constant_liar=running > 0
            )
            trial = self._study.ask(self._space.distributions)
            self._processes.claim(trial.number)
            return trial

    def _find_running(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def _postpone_dead(self) -> None:
        for trial in self._find_running():
            if not self._processes.has_worker(trial.number):
                self.postpone(trial.number, died=True)

    def find_trial(self, run: str) -> FrozenTrial | None:
        """A finished trial with the key ``run``."""
        return next((trial for trial in self.trials if trial.user_attrs.get(RUN) == run), None)

    def complete(self, number: int, value: float) -> None:
        """Record that the trial ``number`` reached a dev macro-F1 of ``value``."""
        self._study.tell(number, value)
        self._processes.release(number)

    def prune(self, number: int) -> None:
        """Record that the trial was stopped below the median of the others after as many epochs."""
        self._study.tell(number, state=TrialState.PRUNED)
        self._processes.release(number)

    def fail(self, number: int, reason: str) -> None:
        """Record that the trial has no result; the trial counts."""
        study = self._storage.get_study_id_from_name(self.name)
        trial = self._storage.get_trial_id_from_study_id_trial_number(study, number)
        self._storage.set_trial_user_attr(trial, REASON, reason)
        self._study.tell(number, state=TrialState.FAIL)
        self._processes.release(number)

    def postpone(self, number: int, *, died: bool) -> None:
        """Record an interrupted trial: it does not count, and its values are tried next.

        A trial that ``died`` too often fails instead.
        """
        trials = self._study.get_trials(deepcopy=False)
        trial = trials[number]
        starts = trial.user_attrs.get(_STARTS, 0) + died
        if starts >= MAX_STARTS:
            self.fail(number, f"the search died in it {starts} times")
            return
        values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        retried = {other.user_attrs.get(_RETRY_OF) for other in trials}
        if values.keys() == self._space.axes.keys() and number not in retried:
            self._study.enqueue_trial(values, user_attrs={_STARTS: starts, _RETRY_OF: number})
        self._study.tell(number, state=TrialState.FAIL)
        self._processes.release(number)

    def begin(self, fingerprint: Mapping[str, str]) -> None:
        """Continue the study, or begin it with the base configuration.

        Raises :class:`ConfigurationError` if a part of ``fingerprint`` has changed.
        """
        with self._processes.take_turn():
            self._begin(fingerprint)
            self._postpone_dead()

    def _begin(self, fingerprint: Mapping[str, str]) -> None:
        before = self._study.user_attrs.get(_FINGERPRINT)
        if before is None:
            start = self._space.encode_base()
            if start is not None:
                self._study.enqueue_trial(start, skip_if_exists=True)
            self._study.set_user_attr(_FINGERPRINT, dict(fingerprint))
        elif before != fingerprint:
            keys = before.keys() | fingerprint.keys()
            changed = sorted(key for key in keys if before.get(key) != fingerprint.get(key))
            raise ConfigurationError(
                f"study {self.name!r} has {len(self.trials)} trials of another "
                f"{' and another '.join(changed)}, which cannot be compared with new trials; "
                "start another study with --study NAME, or discard this one with --fresh"
            )


@contextmanager
def open_study(path: Path, space: Space, *, seed: int, fresh: bool) -> Iterator[Study]:
    """The study in the file ``path``, named after the file; ``fresh`` discards earlier trials.

    Raises :class:`ConfigurationError` for a file that is not a study, and with ``fresh`` while
    another process works on the study.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path.parent.mkdir(parents=True, exist_ok=True)
    with join_processes(path) as processes:
        if fresh:
            with processes.be_alone(path.stem):
                path.unlink(missing_ok=True)
        with processes.take_turn():
            storage = _open_storage(path)
            study = optuna.create_study(
                storage=storage,
                study_name=path.stem,
                direction="maximize",
                pruner=optuna.pruners.MedianPruner(_UNPRUNED, _PRUNED_FROM),
                load_if_exists=True,
            )
        try:
            yield Study(study, storage, processes, space, seed)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _open_storage(path: Path) -> optuna.storages.RDBStorage:
    try:
        return optuna.storages.RDBStorage(
            URL.create("sqlite", database=str(path)).render_as_string(),
            engine_kwargs={"connect_args": {"timeout": _WRITE_SECONDS}},
        )
    except (SQLAlchemyError, RuntimeError) as error:
        raise ConfigurationError(
            f"{path} is not a study of Optuna {optuna.__version__} ({type(error).__name__}); "
            "start another study with --study NAME, or discard this one with --fresh"
        ) from None
