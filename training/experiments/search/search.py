"""A search: trials until their number or the time is used up, the best so far on disk all along."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from optuna.exceptions import TrialPruned
from optuna.trial import FrozenTrial, TrialState
from valence.service.errors import ConfigurationError
from valence.training.checks import suite
from valence.training.embeddings import word_vectors
from valence.training.experiments.search import trial as trials
from valence.training.experiments.search import winner
from valence.training.experiments.search.space import Choices, Incompatible, Space
from valence.training.experiments.search.study import REASON, Study, opened
from valence.training.experiments.search.trial import OutOfTime, Preparations
from valence.training.runtime import distributed, seeds
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
class Found:
    """What a search has come to, finished or not."""

    study: str
    trials: tuple[FrozenTrial, ...]
    best: FrozenTrial | None
    importances: dict[str, float]
    interrupted: bool


# with fewer complete trials, what sets the better ones apart is chance
_FEWEST_FOR_IMPORTANCES = 10


def search(
    space: Space,
    *,
    limits: SearchLimits,
    files: SearchFiles,
    run: Run,
    fresh: bool = False,
    unchecked: bool = False,
) -> Found:
    """Search ``space`` for the highest dev macro-F1, continuing the study of an earlier search.

    Whenever a trial is the best so far, its configuration is written to ``files.best``. A keyboard
    interrupt ends the search as a limit does. Raises :class:`ConfigurationError` for
    another search of the study that is under way or was of something else, and, unless
    ``unchecked``, for data that are wrong (:mod:`valence.training.checks.suite`).
    """
    if distributed.world_size() > 1:
        raise ConfigurationError("a search is one process; start it without torchrun")
    end = time.monotonic() + (math.inf if limits.minutes is None else 60 * limits.minutes)
    seeds.repeat_exactly(run.device)
    folder = files.study.with_suffix("")  # of its checkpoints
    seed = space.base.optimization.seed
    with opened(files.study, space, seed=seed, fresh=fresh) as study:
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        preparations = Preparations(space.base, run)
        material = preparations.material
        if not unchecked:
            suite.check_before_training(space.base, material.loaded, material.splits, run.reporter)
        study.begin(_fingerprint(space, preparations))
        _say_start(study, space, limits, run.reporter)
        interrupted = False
        try:
            while len(study.trials) < limits.trials and time.monotonic() < end:
                _next(
                    study,
                    space,
                    preparations=preparations,
                    folder=folder,
                    end=end,
                )
                winner.write(files.best, study, space, files.study, files.command)
                _say_end(study, limits, run.reporter, end)
        except OutOfTime:
            run.reporter.say(
                "the time is up; the trial that it cut short goes on with the next search"
            )
        except KeyboardInterrupt:
            interrupted = True
        # a search that had nothing left to do leaves the file too
        winner.write(files.best, study, space, files.study, files.command)
        complete = sum(trial.state is TrialState.COMPLETE for trial in study.trials)
        importances = study.importances() if complete >= _FEWEST_FOR_IMPORTANCES else {}
        return Found(study.name, tuple(study.trials), study.best, importances, interrupted)


def _next(
    study: Study,
    space: Space,
    *,
    preparations: Preparations,
    folder: Path,
    end: float,
) -> None:
    """One trial, to its end."""
    trial = study.next()
    try:
        value = trials.train_trial(
            trial,
            space.configuration(trial.params),
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
    # no trial but this one had a checkpoint: the one that was interrupted is always the next
    shutil.rmtree(folder, ignore_errors=True)


def _fingerprint(space: Space, preparations: Preparations) -> dict[str, str]:
    """Hashes of all that trials must share to be compared."""
    sources = set(space.base.words.vectors)
    axis = space.axes.get("words.vectors")
    for value in axis.values if isinstance(axis, Choices) else ():
        sources.update(map(str, value if isinstance(value, list) else ()))
    base = preparations.of(space.base)
    return {
        "configuration": sha256_of_json(space.base.as_json()),
        "space": sha256_of_json(space.as_json()),
        "data": sha256_of_json(dict(base.identity)),
        "word vectors": sha256_of_json(
            {source: _vectors(source, base.raw.in_domain_texts) for source in sources}
        ),
    }


def _vectors(source: str, texts: Sequence[str]) -> str:
    try:
        return word_vectors.make_record(source, texts).sha256
    except OSError as error:
        raise ConfigurationError(f"vectors {source!r} cannot be read: {error.strerror}") from None


def _say_start(study: Study, space: Space, limits: SearchLimits, reporter: Reporter) -> None:
    done = len(study.trials)
    if done >= limits.trials:
        reporter.say(f"study {study.name!r} has {done} trials already; for more, raise --trials")
    elif done:
        reporter.say(f"going on with study {study.name!r} after {done} trials")
    elif space.start() is None:
        reporter.say("the configuration itself is outside the space and is not tried")


def _say_end(study: Study, limits: SearchLimits, reporter: Reporter, end: float) -> None:
    """What the last trial came to, and how long the others will take."""
    every, best = study.trials, study.best
    last = every[-1]
    if last.state is TrialState.FAIL:
        figure = f"failed: {last.user_attrs[REASON]}"
    else:
        stopped = ", stopped early" if last.state is TrialState.PRUNED else ""
        figure = f"dev macro-F1 {last.value:.4f}{stopped}"
    known = "" if best is None else f" (best {best.value:.4f}, trial {best.number})"
    seconds = [trial.duration.total_seconds() for trial in every if trial.duration is not None]
    ahead = (limits.trials - len(every)) * sum(seconds) / len(seconds)
    left = timedelta(seconds=math.ceil(max(0.0, min(ahead, end - time.monotonic()))))
    reporter.say(
        f"trial {last.number}, {len(every)} of {limits.trials}: {figure}{known}, "
        f"{seconds[-1]:.0f} s" + (f", about {left} left" if left else "")
    )
