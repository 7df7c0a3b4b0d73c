"""``valence typos``."""

from __future__ import annotations

import typer
from valence.training.cli.options import (
    WORKSPACE,
    EngineOption,
    JsonOption,
    ModelArgument,
    WorkspaceOption,
)
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace


def typos(
    model: ModelArgument,
    *,
    engine: EngineOption = "auto",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Measure how much a typing error in every tenth word lowers a model's dev figures."""
    from valence.training.evaluation import typo_robustness as measured

    reporter = Reporter()
    found = measured.measure_stored_model(
        model, engine=engine, run=Run(Workspace(workspace), reporter)
    )
    reporter.say(
        f"{found.texts:,} dev texts: macro-F1 {found.macro_f1:.4f}, with a typing error in every "
        f"tenth word {found.with_typos:.4f}: {found.points:.2f} points less; tokens not in the "
        f"vocabulary {found.unknown:.1%} and {found.unknown_with_typos:.1%}"
    )
    if as_json:
        typer.echo(found.model_dump_json())
