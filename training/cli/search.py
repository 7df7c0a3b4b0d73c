"""``search``."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from valence.service.errors import ConfigurationError
from valence.service.files.encodings import AUTO
from valence.training.cli.options import (
    WORKSPACE,
    ConfigurationFile,
    DataOption,
    DeviceOption,
    EncodingOption,
    LabelOption,
    MultiLabelOption,
    NameOption,
    SeedOption,
    SeparatorOption,
    TextOption,
    WorkspaceOption,
    configuration_file,
    torch_device,
    with_optimization,
)
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

REQUIREMENTS = "requirements/search.txt"
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""
DEFAULT_SPACE = Path(__file__).parents[1] / "experiments" / "search" / "spaces" / "default.toml"
_STUDY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def search(
    configuration: ConfigurationFile = None,
    *,
    data: DataOption = None,
    text: TextOption = "text",
    label: LabelOption = "label",
    multi_label: MultiLabelOption = False,
    separator: SeparatorOption = "|",
    encoding: EncodingOption = AUTO,
    name: NameOption = None,
    space: Annotated[
        Path, typer.Option(help="TOML: keys of the configuration and what each may be")
    ] = DEFAULT_SPACE,
    trials: Annotated[int, typer.Option(min=1, help="in all, those of earlier runs counted")] = 20,
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="at most, of this run; the next one goes on")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="where the best goes; by default search/STUDY.toml in the workspace"),
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="what is kept and gone on with; by default the model's name")
    ] = None,
    seed: SeedOption = None,
    device: DeviceOption = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="forget the study instead of going on with it")
    ] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="search whatever the checks find in the data")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Search a space around a configuration for the best dev macro-F1, and write the best down.

    Interrupted at any moment and started again, it goes on with the trials that it has.
    """
    if find_spec("optuna") is None:
        raise ConfigurationError(
            "a search needs another package: pip install -c requirements/constraints.txt -r "
            f"{REQUIREMENTS}"
        )
    from valence.training.config import loader

    reporter = Reporter()
    file = configuration_file(
        configuration,
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
    base = with_optimization(loader.load_configuration(file), seed=seed)
    called = study or base.name
    if not _STUDY.fullmatch(called):
        raise ConfigurationError(
            f"--study {called!r}: a name is small letters, digits, - and _, at most 63"
        )
    from valence.training.experiments.search import space as spaces

    declared = spaces.load(space, base)
    # after what may be wrong: torch takes seconds to import
    from valence.training.experiments.search import winner
    from valence.training.experiments.search.search import SearchFiles, SearchLimits
    from valence.training.experiments.search.search import search as run

    folder = workspace / "search"
    out = out or folder / f"{called}.toml"
    found = run(
        declared,
        limits=SearchLimits(trials, minutes),
        files=SearchFiles(
            folder / f"{called}.db", out, command=shlex.join(["valence", *sys.argv[1:]])
        ),
        run=Run(Workspace(workspace), reporter, torch_device(device)),
        fresh=fresh,
        unchecked=unchecked,
    )
    if found.trials:
        reporter.console.print(winner.table(found.trials, declared))
    if found.importances:
        shares = ", ".join(f"{key} {share:.0%}" for key, share in found.importances.items())
        reporter.say(f"what sets the better trials apart: {shares}")
    if found.best is not None:
        reporter.say(
            f"trial {found.best.number} is the best, dev macro-F1 {found.best.value:.4f}; "
            f"`make train CONFIG={out}` trains it, `make retrain CONFIG={out}` makes it the "
            "champion if it is better"
        )
        typer.echo(out)
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)
    if found.best is None:
        raise ConfigurationError(
            "no trial was seen to its end, so there is no best one; the next search goes on from "
            "here, with more --minutes or --trials"
        )
