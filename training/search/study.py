"""The trials of a search, kept by Optuna in an SQLite file: what is done survives any interruption.

One process at a time is at a study, so a trial that is found running when it is opened died with
its process. It is counted as failed and its values are tried again; the training itself goes on
from its checkpoint. A trial that died :data:`MOST_STARTS` times is not tried again.
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
from valence.training.runtime.lock import hold_lock
from valence.training.search.space import Space

MOST_STARTS = 3
# trials that are seen to their end before others are measured by their median, and the first epoch
# that one may be stopped after: warm-up takes up much of the first
_UNPRUNED, _PRUNED_FROM = 5, 2

REASON, RUN = "reason", "run"
"""Of a trial that failed, why; and the key of its run (:func:`valence.training.recurrent.run_key`)."""

_FINGERPRINT = "fingerprint"
_STARTS, _AGAIN = "starts", "again"


class Study:
    """What was tried in a space; made by :func:`opened`."""

    def __init__(
        self, study: optuna.Study, storage: optuna.storages.RDBStorage, space: Space, seed: int
    ) -> None:
        self._study = study
        self._storage = storage
        self._space = space
        self._seed = seed

    @property
    def name(self) -> str:
        """What it is called."""
        return self._study.study_name

    @property
    def trials(self) -> list[FrozenTrial]:
        """Those that came to an end, in their order: complete, pruned, or failed for a reason."""
        return [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
            or (trial.state is TrialState.FAIL and REASON in trial.user_attrs)
        ]

    @property
    def best(self) -> FrozenTrial | None:
        """The first of the complete ones with the highest dev macro-F1."""
        complete = [trial for trial in self.trials if trial.state is TrialState.COMPLETE]
        return max(complete, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)

    def importances(self) -> dict[str, float]:
        """The share of each key in what sets the better complete trials apart (PED-ANOVA:
        Watanabe et al., IJCAI 2023), highest first.
        """
        return optuna.importance.get_param_importances(self._study)

    def next(self) -> Trial:
        """A trial that was interrupted, else a new one.

        Which one depends on the seed and on the trials that came to an end, so a search that was
        interrupted proposes what it would have proposed.
        """
        self._study.sampler = optuna.samplers.TPESampler(seed=self._seed + len(self.trials))
        return self._study.ask(self._space.distributions)

    def same(self, run: str) -> FrozenTrial | None:
        """A trial that came to an end and was of the same ``run``."""
        return next((trial for trial in self.trials if trial.user_attrs.get(RUN) == run), None)

    def complete(self, number: int, value: float) -> None:
        """The trial of this ``number`` reached a dev macro-F1 of ``value``."""
        self._study.tell(number, value)

    def prune(self, number: int) -> None:
        """It was stopped, being worse than half of the others after as many epochs."""
        self._study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int, reason: str) -> None:
        """It cannot come to a figure, and counts."""
        study = self._storage.get_study_id_from_name(self.name)
        trial = self._storage.get_trial_id_from_study_id_trial_number(study, number)
        self._storage.set_trial_user_attr(trial, REASON, reason)
        self._study.tell(number, state=TrialState.FAIL)

    def postpone(self, number: int, *, died: bool) -> None:
        """It was interrupted: it does not count, and its values are the next to be tried.

        Unless it ``died`` too often.
        """
        every = self._study.get_trials(deepcopy=False)
        trial = every[number]
        starts = trial.user_attrs.get(_STARTS, 0) + died
        if starts >= MOST_STARTS:
            self.fail(number, f"the search died in it {starts} times")
            return
        values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        again = {other.user_attrs.get(_AGAIN) for other in every}
        if values.keys() == self._space.axes.keys() and number not in again:
            self._study.enqueue_trial(values, user_attrs={_STARTS: starts, _AGAIN: number})
        self._study.tell(number, state=TrialState.FAIL)

    def begin(self, fingerprint: Mapping[str, str]) -> None:
        """Go on where the study stands, or begin it with the configuration itself.

        Raises :class:`ConfigurationError` if a part of ``fingerprint`` is not what it began with.
        """
        before = self._study.user_attrs.get(_FINGERPRINT)
        if before is None:
            start = self._space.start()
            if start is not None:
                self._study.enqueue_trial(start, skip_if_exists=True)
            self._study.set_user_attr(_FINGERPRINT, dict(fingerprint))
        elif before != fingerprint:
            keys = before.keys() | fingerprint.keys()
            changed = sorted(key for key in keys if before.get(key) != fingerprint.get(key))
            raise ConfigurationError(
                f"study {self.name!r} has {len(self.trials)} trials of another "
                f"{' and another '.join(changed)}, which these could not be compared with; "
                "begin another by --study NAME, or forget it by --fresh"
            )
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.postpone(trial.number, died=True)


@contextmanager
def opened(path: Path, space: Space, *, seed: int, fresh: bool) -> Iterator[Study]:
    """The study in the file ``path``, named after it; ``fresh`` forgets what is there.

    Raises :class:`ConfigurationError` while another process is at it, and for a file that is none.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(path, work="at the same search", remedy="begin another by --study NAME"):
        if fresh:
            path.unlink(missing_ok=True)
        try:
            storage = optuna.storages.RDBStorage(
                URL.create("sqlite", database=str(path)).render_as_string()
            )
        except (SQLAlchemyError, RuntimeError) as error:
            raise ConfigurationError(
                f"{path} is no study, or one of another Optuna than {optuna.__version__} "
                f"({type(error).__name__}); begin another by --study NAME, or forget it by --fresh"
            ) from None
        try:
            study = optuna.create_study(
                storage=storage,
                study_name=path.stem,
                direction="maximize",
                pruner=optuna.pruners.MedianPruner(_UNPRUNED, _PRUNED_FROM),
                load_if_exists=True,
            )
            yield Study(study, storage, space, seed)
        finally:
            storage.remove_session()
            storage.engine.dispose()
