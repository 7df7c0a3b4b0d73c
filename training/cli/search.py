"""``valence search``."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import require_path
from valence.training.cli.options import (
    WORKSPACE,
    ConfigurationArgument,
    DataOptions,
    DeviceOption,
    SeedOption,
    UncheckedOption,
    WorkspaceOption,
    override_optimization,
    torch_device,
)
from valence.training.cli.parameters import expand_options
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

if TYPE_CHECKING:
    from valence.training.experiments.search.search import SearchResult
    from valence.training.experiments.search.space import Space

EXTRA = "search"
"""The extra of the package that a search needs."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""
DEFAULT_SPACE = Path(__file__).parents[1] / "experiments" / "search" / "spaces" / "default.toml"
_STUDY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What is searched, for how long, and where the results go."""

    space: Annotated[
        Path,
        typer.Option(
            help="TOML file: keys of the configuration and the values that each may have.",
            show_default="the default space",
        ),
    ] = DEFAULT_SPACE
    trials: Annotated[
        int, typer.Option(min=1, help="Trials in all, those of earlier runs counted.")
    ] = 20
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Longest time of this run; the next run goes on.", show_default=False
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(
            help="File for the best configuration.", show_default="WORKSPACE/search/STUDY.toml"
        ),
    ] = None
    study: Annotated[
        str | None,
        typer.Option(
            help="Name under which trials are kept and continued.", show_default="the model's name"
        ),
    ] = None
    seed: SeedOption = None
    device: DeviceOption = "auto"
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget the study instead of continuing it.")
    ] = False
    unchecked: UncheckedOption = False
    workspace: WorkspaceOption = WORKSPACE


@expand_options
def search(
    configuration: ConfigurationArgument = None, *, data: DataOptions, options: SearchOptions
) -> None:
    """Search a space around a configuration for the best dev macro-F1, and write the best down.

    A search that is interrupted at any moment and started again continues with its trials.
    """
    if find_spec("optuna") is None:
        raise ConfigurationError(
            f"a search needs the extra {EXTRA!r}: pip install -c requirements/constraints.txt "
            f"-e '.[{EXTRA}]'"
        )
    from valence.training.config import loader

    reporter = Reporter()
    file = data.find_configuration(configuration, workspace=options.workspace, reporter=reporter)
    base = override_optimization(loader.load_configuration(file), seed=options.seed)
    study = options.study or base.name
    if not _STUDY.fullmatch(study):
        raise ConfigurationError(
            f"--study {study!r}: a name has at most 63 small letters, digits, - and _"
        )
    from valence.training.experiments.search import space as spaces

    space = spaces.load_space(options.space, base)
    # after everything that may be wrong: torch takes seconds to import
    from valence.training.experiments.search import search as searches

    folder = options.workspace / "search"
    out = options.out or folder / f"{study}.toml"
    require_path(out)
    found = searches.run_search(
        space,
        limits=searches.SearchLimits(options.trials, options.minutes),
        files=searches.SearchFiles(
            folder / f"{study}.db", out, command=shlex.join(["valence", *sys.argv[1:]])
        ),
        run=Run(Workspace(options.workspace), reporter, torch_device(options.device)),
        fresh=options.fresh,
        unchecked=options.unchecked,
    )
    _print_result(found, space, out, reporter)
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)
    if found.best is None:
        raise ConfigurationError(
            "no trial came to its end, so there is no best configuration; the next search "
            "continues from here, with more --minutes or --trials"
        )


def _print_result(found: SearchResult, space: Space, out: Path, reporter: Reporter) -> None:
    from valence.training.experiments.search import winner

    if found.trials:
        reporter.console.print(winner.make_table(found.trials, space))
    if found.importances:
        shares = ", ".join(f"{key} {share:.0%}" for key, share in found.importances.items())
        reporter.say(f"importance of each key for dev macro-F1: {shares}")
    if found.best is not None:
        reporter.say(
            f"trial {found.best.number} is the best, dev macro-F1 {found.best.value:.4f}; "
            f"`valence train {out}` trains it, `valence retrain {out}` makes it the champion if it "
            "is better"
        )
        typer.echo(out)
