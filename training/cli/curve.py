"""``valence curve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from valence.training.cli.options import (
    WORKSPACE,
    ConfigurationArgument,
    DataOptions,
    WorkspaceOption,
)
from valence.training.cli.parameters import expand_options
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace


@expand_options
def curve(
    configuration: ConfigurationArgument = None,
    *,
    data: DataOptions,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="Where the picture goes, an SVG.", show_default="reports of the workspace"
        ),
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Show accuracy over the number of labels, and what more labels would pay.

    Linear models are trained, with and without static embeddings. It takes a minute or two.
    """
    from valence.service.files.atomic_write import require_path, write_file
    from valence.training.config import loader
    from valence.training.pipeline.curve.picture import describe_curve, draw_curve
    from valence.training.pipeline.curve.points import measure_points

    if picture is not None:
        require_path(picture)
    reporter = Reporter()
    chosen = loader.load_configuration(
        data.find_configuration(configuration, workspace=workspace, reporter=reporter)
    )
    points = []
    for point in measure_points(chosen, Run(Workspace(workspace), reporter)):
        reporter.say(f"{point.labels:,} labels: {point.model}, accuracy {point.accuracy:.3f}")
        points.append(point)
    path = picture or workspace / "reports" / chosen.name / "curve.svg"
    write_file(path, draw_curve(points))
    for line in describe_curve(points):
        typer.echo(line)
    reporter.say(f"picture: {path}")
    reporter.say("next: `valence queue` chooses the texts whose labels would help most")
