"""``evaluate``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from training.commands import tables
from training.commands.options import WORKSPACE, EngineOption, Model, WorkspaceOption
from training.progress import Reporter


def evaluate(
    model: Model,
    *,
    engine: EngineOption = "auto",
    baselines: Annotated[
        bool, typer.Option(help="score a linear model (and VADER) on the same texts too")
    ] = True,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Score a model in the store on the dev and test texts it was not trained on."""
    from training import judging
    from training.preparation import Workspace

    reporter = Reporter()
    rows = judging.evaluate_stored(
        model,
        engine=engine,
        workspace=Workspace(workspace),
        with_baselines=baselines,
        reporter=reporter,
    )
    reporter.console.print(tables.scores(rows))
    typer.echo(json.dumps({name: value.as_json() for name, value in rows.items()}))
