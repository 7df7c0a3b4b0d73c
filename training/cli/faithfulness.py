"""``valence faithfulness``."""

from __future__ import annotations

from typing import Annotated

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


def faithfulness(
    model: ModelArgument,
    *,
    label: Annotated[
        str | None, typer.Option(help="Label whose texts are used.", show_default="the last label")
    ] = None,
    engine: EngineOption = "auto",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Measure the explanations of a model: does deleting the words they name change the label?"""
    from valence.training.evaluation import explanation_faithfulness as judged

    reporter = Reporter()
    found = judged.measure_stored_model(
        model, label=label, engine=engine, run=Run(Workspace(workspace), reporter)
    )
    reporter.say(
        f"{found.texts:,} test texts given {found.label!r} with {judged.CONFIDENT:.0%} or more: "
        f"deleting the {judged.DELETED} words of highest contribution lowers its probability more "
        f"than {judged.DELETED} random ones in {found.wins:.1%} (by {found.fall:.3f} against "
        f"{found.random_fall:.3f}); completeness error {found.mean_completeness_error:.1e} in the "
        f"mean, {found.max_completeness_error:.1e} at most"
    )
    if as_json:
        typer.echo(found.model_dump_json())
