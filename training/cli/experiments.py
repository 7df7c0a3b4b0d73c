"""``experiments``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from valence.training.cli.options import (
    WORKSPACE,
    DeviceOption,
    TrackOption,
    WorkspaceOption,
    torch_device,
)
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

_SEEDS = (0, 1, 2)


def experiments(
    *,
    data: Annotated[
        str,
        typer.Option(
            help="a folder that holds one a task, of files called train and, if there is one, dev; "
            "or hf: the task's data set of the Hugging Face Hub; or torchtext (trec6 and imdb)"
        ),
    ],
    task: Annotated[
        list[str] | None,
        typer.Option(help="one of training/experiments/tasks/configs; all if none is named"),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(min=0, help="0 is the one fixed in advance [default: 0, 1 and 2]"),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="after these no training starts")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="train what was trained before anew")
    ] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="train whatever the checks find in the data")
    ] = False,
    page: Annotated[Path, typer.Option(help="the Markdown page that holds the table")] = Path(
        "docs/measured/experiments.md"
    ),
    device: DeviceOption = "auto",
    track: TrackOption = True,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Train public tasks and a linear model beside each, and tabulate what they reach on dev.

    What was trained before is not trained again. The exit code is 1 if a training failed; the
    others are made all the same.
    """
    from valence.training.experiments.tasks import task as tasks

    chosen = tasks.load_tasks(task or ())
    from valence.training.experiments.tasks.experiments import Experiments, run_experiments

    reporter = Reporter()
    summary = run_experiments(
        Experiments(
            chosen,
            tuple(dict.fromkeys(seed or _SEEDS)),
            data,
            page,
            minutes=minutes,
            fresh=fresh,
            unchecked=unchecked,
            track=track,
        ),
        Run(Workspace(workspace), reporter, torch_device(device)),
    )
    reporter.say(f"{len(summary.trained)} trained, {len(summary.known)} trained before; {page}")
    if summary.left:
        reporter.say(f"left after {minutes:g} minutes: {'; '.join(summary.left)}")
    if summary.failed:
        reporter.say(f"failed: {'; '.join(summary.failed)}")
        raise typer.Exit(1)
