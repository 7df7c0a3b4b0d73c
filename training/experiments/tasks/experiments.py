"""Tasks and seeds, trained one after another; what is done is kept whatever happens to the rest."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from valence.service.errors import ValenceError
from valence.training.experiments.tasks import files, page, records
from valence.training.experiments.tasks.records import Record
from valence.training.experiments.tasks.task import Task
from valence.training.pipeline import training_run
from valence.training.runtime.run import Run
from valence.training.tracking.tracker import UNTRACKED, track_run

LINEAR = "TF-IDF + logistic regression"


@dataclass(frozen=True, slots=True)
class Experiments:
    """What to train and where; ``minutes`` after which no training starts, None for no end."""

    tasks: Sequence[Task]
    seeds: Sequence[int]
    data: str
    page: Path
    minutes: float | None = None
    fresh: bool = False
    unchecked: bool = False
    track: bool = True


@dataclass(frozen=True, slots=True)
class Summary:
    """How the trainings ended, each ``task, seed N``."""

    trained: tuple[str, ...]
    known: tuple[str, ...]
    failed: tuple[str, ...]
    left: tuple[str, ...]


def run_experiments(experiments: Experiments, run: Run) -> Summary:
    """Train each task by its recipe, one seed of all tasks before the next seed of any.

    A training that fails is told of, and the others go on. The table has a task's new row as soon
    as there is one.
    """
    started = time.monotonic()
    ends: dict[str, list[str]] = {"trained": [], "known": [], "failed": [], "left": []}
    for seed in experiments.seeds:
        for task in experiments.tasks:
            name = f"{task.name}, seed {seed}"
            minutes = (time.monotonic() - started) / 60
            if experiments.minutes is not None and minutes >= experiments.minutes:
                ends["left"].append(name)
                continue
            run.reporter.say(f"{name}:")
            try:
                new = _one(task, seed, experiments, run)
            except Exception as error:
                ends["failed"].append(name)
                run.reporter.say(f"{name} failed: {_told(error)}")
            else:
                ends["trained" if new else "known"].append(name)
    return Summary(**{end: tuple(which) for end, which in ends.items()})


def _one(
    task: Task,
    seed: int,
    experiments: Experiments,
    run: Run,
) -> bool:
    """Train a task with a seed unless it is known what that comes to; whether it was trained."""
    folder = run.workspace.root / "experiments"
    found = files.find(task, experiments.data, cache=run.workspace.corpora, say=run.reporter.say)
    configuration = task.configuration(found, seed=seed)
    recipe, data = records.recipe_of(configuration)
    known = records.read(folder, task.name)
    before = known.get(seed)
    new = experiments.fresh or before is None or before.recipe != recipe
    if new:
        baseline = records.baseline_of(known, data)
        with (
            track_run(run.workspace.root, run.reporter)
            if experiments.track
            else nullcontext(UNTRACKED)
        ) as tracking:
            trained = training_run.train_classifier(
                configuration,
                run,
                fresh=experiments.fresh,
                with_baselines=baseline is None,
                tracking=tracking,
                unchecked=experiments.unchecked,
            )
        made = trained.manifest.training
        if baseline is None:
            baseline = task.score(trained.baselines[LINEAR])
        record = Record(
            task=task.name,
            seed=seed,
            recipe=recipe,
            data=data,
            tag=trained.tag,
            train=made.splits["train"],
            dev=made.splits["dev"],
            own_dev=not found.dev,
            score=task.score(trained.evaluations["dev"]),
            baseline=baseline,
            minutes=sum(epoch.seconds for epoch in trained.history) / 60,
            hardware=made.hardware,
            code_version=made.code_version,
        )
        records.write(folder, record)
        known[seed] = record
    else:
        run.reporter.say("trained before")
    one = known[seed]
    run.reporter.say(
        f"{task.metric} on dev {one.score:.4f}; the linear model's {one.baseline:.4f}, wanted "
        f"{task.goal}"
    )
    same = {other: record for other, record in known.items() if record.recipe == recipe}
    page.update(experiments.page, task.name, page.row(task, same))
    return new


def _told(error: Exception) -> str:
    """What happened, without a text of the data: of what is not ours, its kind and place."""
    if isinstance(error, ValenceError | OSError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
