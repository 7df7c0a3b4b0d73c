"""``valence experiments``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from valence.service.files.atomic_write import require_path
from valence.training.cli.options import (
    WORKSPACE,
    DeviceOption,
    TrackOption,
    UncheckedOption,
    WorkspaceOption,
    torch_device,
)
from valence.training.cli.parameters import expand_options
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

_SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class ExperimentOptions:
    """Which tasks are trained, with which seeds, and where the table goes."""

    data: Annotated[
        str,
        typer.Option(
            help="A folder with one folder for each task, which holds a file called train and, if "
            "there is one, dev; or hf: the data sets of the Hugging Face Hub; or torchtext (trec6 "
            "and imdb)."
        ),
    ]
    task: Annotated[
        list[str] | None,
        typer.Option(help="Name of a task. May be repeated.", show_default="all tasks"),
    ] = None
    seed: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            help="Seed. May be repeated. Seed 0 was fixed in advance.",
            show_default="0, 1 and 2",
        ),
    ] = None
    minutes: Annotated[
        float | None,
        typer.Option(min=0.0, help="No training starts after this time.", show_default=False),
    ] = None
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again what was trained before.")] = (
        False
    )
    unchecked: UncheckedOption = False
    page: Annotated[Path, typer.Option(help="Markdown page that holds the table.")] = Path(
        "docs/measured/experiments.md"
    )
    device: DeviceOption = "auto"
    track: TrackOption = True
    workspace: WorkspaceOption = WORKSPACE


@expand_options
def experiments(options: ExperimentOptions) -> None:
    """Train public tasks and a linear model beside each, and tabulate their dev figures.

    What was trained before is not trained again. The exit code is 1 if a training failed; the
    other trainings run all the same.
    """
    from valence.training.experiments.tasks import task as tasks

    chosen = tasks.load_tasks(options.task or ())
    require_path(options.page)
    from valence.training.experiments.tasks.experiments import Experiments, run_experiments

    reporter = Reporter()
    summary = run_experiments(
        Experiments(
            chosen,
            tuple(dict.fromkeys(options.seed or _SEEDS)),
            options.data,
            options.page,
            minutes=options.minutes,
            fresh=options.fresh,
            unchecked=options.unchecked,
            track=options.track,
        ),
        Run(Workspace(options.workspace), reporter, torch_device(options.device)),
    )
    trained, known = len(summary.trained), len(summary.known)
    reporter.say(f"{trained} trained, {known} trained before; {options.page}")
    if summary.left:
        reporter.say(f"left after {options.minutes:g} minutes: {'; '.join(summary.left)}")
    if summary.failed:
        reporter.say(f"failed: {'; '.join(summary.failed)}")
        raise typer.Exit(1)
