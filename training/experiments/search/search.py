"""A hyperparameter search: trials up to a limit of number or time.

The best configuration so far is always on disk.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from optuna.exceptions import TrialPruned
from optuna.trial import FrozenTrial, Trial, TrialState
from valence.service.errors import ConfigurationError
from valence.training.checks import suite
from valence.training.embeddings import word_vectors
from valence.training.experiments.search import trial as trials
from valence.training.experiments.search import winner
from valence.training.experiments.search.space import Choices, Incompatible, Space
from valence.training.experiments.search.study import REASON, Study, open_study
from valence.training.experiments.search.trial import Preparations
from valence.training.runtime import distributed, seeds
from valence.training.runtime.deadline import OutOfTime
from valence.training.runtime.hashing import sha256_of_json
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.trainer import loop


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """When a search ends: after ``trials`` in all, or after ``minutes`` from now."""

    trials: int
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class SearchFiles:
    """Where a search keeps its ``study``, and where it writes the ``best`` configuration.

    The best configuration quotes the ``command`` that found it.
    """

    study: Path
    best: Path
    command: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search, finished or not."""

    study: str
    trials: tuple[FrozenTrial, ...]
    best: FrozenTrial | None
    importances: dict[str, float]
    interrupted: bool


# with fewer complete trials, the differences between the trials are chance
_MIN_TRIALS_FOR_IMPORTANCES = 10


def run_search(
    space: Space,
    *,
    limits: SearchLimits,
    files: SearchFiles,
    run: Run,
    fresh: bool = False,
    unchecked: bool = False,
) -> SearchResult:
    """Search ``space`` for the highest dev macro-F1, continuing the study of an earlier search.

    Whenever a trial is the best so far, its configuration is written to ``files.best``. A keyboard
    interrupt ends the search as a limit does. Raises :class:`ConfigurationError` for
    a study of other data or another space, with ``fresh`` for a study that another process works
    on, and, unless ``unchecked``, for faulty data (:mod:`valence.training.checks.suite`).
    """
    if distributed.world_size() > 1:
        raise ConfigurationError("a search runs in one process; start it without torchrun")
    end = time.monotonic() + (math.inf if limits.minutes is None else 60 * limits.minutes)
    seeds.repeat_exactly(run.device)
    folder = files.study.with_suffix("")  # of the checkpoints
    seed = space.base.optimization.seed
    with open_study(files.study, space, seed=seed, fresh=fresh) as study:
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        preparations = Preparations(space.base, run)
        material = preparations.material
        if not unchecked:
            suite.check_before_training(space.base, material.loaded, material.splits, run.reporter)
        study.begin(_make_fingerprint(space, preparations))
        _report_start(study, space, limits, run.reporter)
        interrupted = False
        try:
            while time.monotonic() < end:
                asked = study.ask_trial(limits.trials)
                if asked is None:
                    break
                _run_trial(
                    asked,
                    study,
                    space,
                    preparations=preparations,
                    folder=folder,
                    end=end,
                )
                winner.write_winner(files.best, study, space, files.study, files.command)
                _report_end(study, limits, run.reporter, end)
        except OutOfTime:
            run.reporter.say("the time is up; the next search continues the interrupted trial")
        except KeyboardInterrupt:
            interrupted = True
        # write the file even if there was nothing left to do
        winner.write_winner(files.best, study, space, files.study, files.command)
        complete = sum(trial.state is TrialState.COMPLETE for trial in study.trials)
        importances = study.compute_importances() if complete >= _MIN_TRIALS_FOR_IMPORTANCES else {}
        return SearchResult(study.name, tuple(study.trials), study.best, importances, interrupted)


def _run_trial(
    trial: Trial,
    study: Study,
    space: Space,
    *,
    preparations: Preparations,
    folder: Path,
    end: float,
) -> None:
    """Run one trial to its end."""
    try:
        value = trials.train_trial(
            trial,
            space.make_configuration(trial.params),
            study=study,
            preparations=preparations,
            folder=folder,
            end=end,
        )
    except TrialPruned:
        study.prune(trial.number)
    except (loop.Diverged, Incompatible) as error:
        study.fail(trial.number, str(error))
    except (OutOfTime, KeyboardInterrupt):
        study.postpone(trial.number, died=False)
        raise
    except BaseException:
        study.postpone(trial.number, died=True)
        raise
    else:
        study.complete(trial.number, value)
    trials.delete_checkpoint(trial, folder)


def _make_fingerprint(space: Space, preparations: Preparations) -> dict[str, str]:
    """The hashes of everything that comparable trials share."""
    sources = set(space.base.words.vectors)
    axis = space.axes.get("words.vectors")
    for value in axis.values if isinstance(axis, Choices) else ():
        sources.update(map(str, value if isinstance(value, list) else ()))
    base = preparations.prepare(space.base)
    return {
        "configuration": sha256_of_json(space.base.as_json()),
        "space": sha256_of_json(space.as_json()),
        "data": sha256_of_json(dict(base.identity)),
        "word vectors": sha256_of_json(
            {source: _hash_vectors(source, base.raw.in_domain_texts) for source in sources}
        ),
    }


def _hash_vectors(source: str, texts: Sequence[str]) -> str:
    try:
        return word_vectors.make_record(source, texts).sha256
    except OSError as error:
        raise ConfigurationError(f"cannot read the vectors {source!r}: {error.strerror}") from None


def _report_start(study: Study, space: Space, limits: SearchLimits, reporter: Reporter) -> None:
    done = len(study.trials)
    if done >= limits.trials:
        reporter.say(f"study {study.name!r} already has {done} trials; for more, raise --trials")
    elif done:
        reporter.say(f"continuing study {study.name!r} after {done} trials")
    elif space.encode_base() is None:
        reporter.say("the base configuration is outside of the space, so it is not tried")


def _report_end(study: Study, limits: SearchLimits, reporter: Reporter, end: float) -> None:
    """Report the result of the last trial, and the time that remains."""
    finished, best = study.trials, study.best
    last = finished[-1]
    if last.state is TrialState.FAIL:
        outcome = f"failed: {last.user_attrs[REASON]}"
    else:
        stopped = ", stopped early" if last.state is TrialState.PRUNED else ""
        outcome = f"dev macro-F1 {last.value:.4f}{stopped}"
    best_so_far = "" if best is None else f" (best {best.value:.4f}, trial {best.number})"
    seconds = [trial.duration.total_seconds() for trial in finished if trial.duration is not None]
    remaining = (limits.trials - len(finished)) * sum(seconds) / len(seconds)
    left = timedelta(seconds=math.ceil(max(0.0, min(remaining, end - time.monotonic()))))
    reporter.say(
        f"trial {last.number}, {len(finished)} of {limits.trials}: {outcome}{best_so_far}, "
        f"{seconds[-1]:.0f} s" + (f", about {left} left" if left else "")
    )
