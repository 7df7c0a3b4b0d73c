"""``valence teach``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from valence.training.cli.options import (
    WORKSPACE,
    DeviceOption,
    WorkspaceOption,
    torch_device,
)
from valence.training.config.locations import PRESETS, find_configuration
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace


def teach(
    configuration: Annotated[
        Path,
        typer.Argument(help="A preset such as `sentiment`, or a TOML file, with [distillation]."),
    ],
    output: Annotated[
        Path, typer.Argument(help="File of the answers, `.safetensors`; a `.json` lies beside it.")
    ],
    *,
    device: DeviceOption = "auto",
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Tune the teachers of a configuration, and write what they answer about its texts to a file.

    A configuration that names the file in `distillation.answers` learns from it without teachers.
    """
    from valence.training.config import loader
    from valence.training.distillation import answer_export

    file = find_configuration(configuration, (PRESETS, workspace / "configs"))
    chosen = loader.load_configuration(file)
    answer_export.check_output(chosen, output)
    reporter = Reporter()
    record = answer_export.export_answers(
        chosen,
        Run(Workspace(workspace), reporter, torch_device(device)),
        output,
        command=shlex.join(["valence", "teach", configuration.name, output.name]),
    )
    counts = ", ".join(f"{count:,} {kind}" for kind, count in record.texts.items())
    reporter.say(f"answers about {counts} texts, {output.stat().st_size / 2**20:.2f} MiB")
    typer.echo(output)
