"""Experiments: tasks and seeds are trained one after another, and each result is kept."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from valence.service.errors import ConfigurationError, ValenceError
from valence.service.files.failures import describe_failure, find_failure
from valence.training.evaluation.baselines import LINEAR
from valence.training.experiments.tasks import files, page, records
from valence.training.experiments.tasks.records import Record
from valence.training.experiments.tasks.task import Task
from valence.training.pipeline import training_run
from valence.training.runtime.run import Run
from valence.training.tracking.tracker import UNTRACKED, track_run


@dataclass(frozen=True, slots=True)
class Experiments:
    """The settings of experiments. After ``minutes`` no training starts; None is no limit."""

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
    """The trainings by outcome, each as ``task, seed N``."""

    trained: tuple[str, ...]
    known: tuple[str, ...]
    failed: tuple[str, ...]
    left: tuple[str, ...]


def run_experiments(experiments: Experiments, run: Run) -> Summary:
    """Train each task by its recipe: all tasks with one seed before the next seed.

    A failed training is reported, and the other trainings continue. The table is updated after each
    training.
    """
    started = time.monotonic()
    outcomes: dict[str, list[str]] = {"trained": [], "known": [], "failed": [], "left": []}
    for seed in experiments.seeds:
        for task in experiments.tasks:
            name = f"{task.name}, seed {seed}"
            minutes = (time.monotonic() - started) / 60
            if experiments.minutes is not None and minutes >= experiments.minutes:
                outcomes["left"].append(name)
                continue
            run.reporter.say(f"{name}:")
            try:
                new = _train_task(task, seed, experiments, run)
            except Exception as error:
                outcomes["failed"].append(name)
                run.reporter.say(f"{name} failed: {_describe_error(error)}")
            else:
                outcomes["trained" if new else "known"].append(name)
    return Summary(**{outcome: tuple(names) for outcome, names in outcomes.items()})


def _train_task(
    task: Task,
    seed: int,
    experiments: Experiments,
    run: Run,
) -> bool:
    """Train a task with a seed unless its result is known. Returns whether it was trained."""
    folder = run.workspace.root / "experiments"
    task_files = files.find_task_files(
        task, experiments.data, cache=run.workspace.corpora, say=run.reporter.say
    )
    configuration = task.make_configuration(task_files, seed=seed)
    recipe, data = records.identify_recipe(configuration)
    known = records.read_records(folder, task.name)
    before = known.get(seed)
    new = experiments.fresh or before is None or before.recipe != recipe
    if new:
        baseline = records.find_baseline(known, data)
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
        training = trained.manifest.training
        if baseline is None:
            if LINEAR not in trained.baselines:
                raise ConfigurationError(f"{task.name}: the linear model cannot be fitted")
            baseline = task.score(trained.baselines[LINEAR])
        record = Record(
            task=task.name,
            seed=seed,
            recipe=recipe,
            data=data,
            tag=trained.tag,
            train=training.splits["train"],
            dev=training.splits["dev"],
            own_dev=not task_files.dev,
            score=task.score(trained.evaluations["dev"]),
            baseline=baseline,
            minutes=sum(epoch.seconds for epoch in trained.history) / 60,
            hardware=training.hardware,
            code_version=training.code_version,
        )
        records.write_record(folder, record)
        known[seed] = record
    else:
        run.reporter.say("trained before")
    result = known[seed]
    run.reporter.say(
        f"{task.metric} on dev {result.score:.4f}, linear model {result.baseline:.4f}, "
        f"goal {task.goal}"
    )
    same_recipe = {other: record for other, record in known.items() if record.recipe == recipe}
    page.update_row(experiments.page, task.name, page.format_row(task, same_recipe))
    return new


def _describe_error(error: Exception) -> str:
    """The error without texts of the data: for foreign errors, only the type and the line."""
    if isinstance(error, ValenceError):
        return str(error)
    failure = find_failure(error)
    if failure is not None:
        return describe_failure(failure)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
