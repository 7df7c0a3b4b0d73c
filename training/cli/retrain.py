"""``retrain``."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from valence.service.errors import ConfigurationError
from valence.service.files.encodings import AUTO
from valence.training.cli.options import (
    WORKSPACE,
    DataOption,
    DeviceOption,
    EncodingOption,
    EngineOption,
    LabelOption,
    MultiLabelOption,
    NameOption,
    SeedOption,
    SeparatorOption,
    TextOption,
    TrackOption,
    WorkspaceOption,
    configuration_file,
    torch_device,
    with_optimization,
)
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

KEPT = 3
"""The exit code of a run that kept the champion."""


def retrain(
    configuration: Annotated[
        Path | None,
        typer.Argument(
            help="a file like training/config/presets/*.toml, or its name; or give --data"
        ),
    ] = None,
    *,
    data: DataOption = None,
    text: TextOption = "text",
    label: LabelOption = "label",
    multi_label: MultiLabelOption = False,
    separator: SeparatorOption = "|",
    encoding: EncodingOption = AUTO,
    name: NameOption = None,
    seed: SeedOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="that the new model is the better one")
    ] = 0.99,
    kept_exit_code: Annotated[
        int,
        typer.Option(
            min=0, max=255, help="of a run that keeps the champion; 0 where a code is a fault"
        ),
    ] = KEPT,
    track: TrackOption = True,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Train a challenger and promote it if it is better than the champion and nothing pays for it.

    The exit code is 0 if it was promoted, 3 (or ``--kept-exit-code``) if the champion was
    kept, another if there was no verdict. Where output is no terminal, only the verdict is written.
    """
    from valence.training.config import schema as configurations

    reporter = Reporter(quiet_in_logs=True)
    file = configuration_file(
        None if configuration is None else _file(configuration, workspace),
        data,
        text=text,
        label=label,
        multi_label=multi_label,
        separator=separator,
        encoding=encoding,
        name=name,
        workspace=workspace,
        reporter=reporter,
    )
    chosen = with_optimization(configurations.load(file), seed=seed)
    from valence.training.pipeline import retraining  # torch takes seconds to import
    from valence.training.pipeline.gate.rules import Rules
    from valence.training.tracking.tracker import UNTRACKED, tracked

    with tracked(workspace, reporter) if track else nullcontext(UNTRACKED) as tracking:
        verdict, path = retraining.retrain(
            chosen,
            Run(Workspace(workspace), reporter, torch_device(device)),
            rules=Rules(confidence=confidence),
            engine=engine,
            tracking=tracking,
        )
    if reporter.console.is_terminal:
        reporter.console.print(verdict.table())
    typer.echo(verdict.summary())
    typer.echo(f"{path}, and {path.with_suffix('.md').name} to read")
    if verdict.decision == "kept":
        raise typer.Exit(kept_exit_code)


def _file(configuration: Path, workspace: Path) -> Path:
    """A configuration by path, or by the name of a published one or of one written for data."""
    if configuration.suffix:
        return configuration
    folders = (Path("training/config/presets"), workspace / "configs")
    places = [folder / f"{configuration}.toml" for folder in folders]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise ConfigurationError(
            f"there is no configuration {configuration}: neither {places[0]} nor {places[1]}, "
            "which is written when a model is trained on DATA; name one, or give --data"
        )
    return found
