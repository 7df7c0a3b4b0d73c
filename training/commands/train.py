"""``train``."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.errors import ConfigurationError
from training.commands import tables
from training.commands.options import WORKSPACE, WorkspaceOption, torch_device
from training.progress import Reporter

if TYPE_CHECKING:
    from training.configuration import Expected
    from training.evaluation import Evaluation


def train(
    configuration: Annotated[
        Path | None, typer.Argument(help="a file like training/configs/*.toml; or give --data")
    ] = None,
    *,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="labelled texts of your own, instead: a CSV, TSV, JSONL or Parquet "
            "file, a folder or a glob; may be repeated"
        ),
    ] = None,
    text: Annotated[str, typer.Option(help="the column of --data that holds the text")] = "text",
    label: Annotated[str, typer.Option(help="the column that holds the label")] = "label",
    multi_label: Annotated[
        bool,
        typer.Option("--multi-label", help="a text of --data has any number of labels"),
    ] = False,
    separator: Annotated[
        str, typer.Option(help="between them, where they are one string and no list")
    ] = "|",
    encoding: Annotated[str, typer.Option(help="of --data")] = "utf-8",
    name: Annotated[
        str | None, typer.Option(help="of the model; by default after the file of --data")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="instead of the configured one")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one")] = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="start over instead of continuing an interrupted run")
    ] = False,
    baselines: Annotated[
        bool, typer.Option(help="score a linear model (and VADER) on the same texts too")
    ] = True,
    track: Annotated[
        bool, typer.Option(help="tell MLflow and TensorBoard of the run, where they are installed")
    ] = True,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Train the classifier a configuration describes and put it into the model store."""
    from training import configuration as configurations

    reporter = Reporter()
    if data:
        if configuration is not None:
            raise ConfigurationError("give a configuration or --data, not both")
        from training import own_data

        configuration = own_data.configure(
            data,
            text=text,
            label=label,
            separator=separator,
            encoding=encoding,
            name=name,
            multi_label=multi_label,
            folder=workspace / "configs",
            reporter=reporter,
        )
    elif configuration is None:
        raise ConfigurationError(
            "give a configuration, like training/configs/sentiment.toml, or "
            "texts of your own: --data reviews.csv --text COLUMN --label COLUMN"
        )
    chosen = configurations.load(configuration)
    from training import pipeline  # after what may be wrong: torch takes seconds to import
    from training.tracking import UNTRACKED, tracked

    if seed is not None:
        optimization = chosen.optimization.model_copy(update={"seed": seed})
        chosen = chosen.model_copy(update={"optimization": optimization})
    with tracked(workspace, reporter) if track else nullcontext(UNTRACKED) as tracking:
        trained = pipeline.train(
            chosen,
            workspace=pipeline.Workspace(workspace),
            reporter=reporter,
            device=torch_device(device),
            fresh=fresh,
            with_baselines=baselines,
            tracking=tracking,
        )
    rows = {f"{trained.tag} ({name})": value for name, value in trained.evaluations.items()}
    rows |= {f"{name} (test)": value for name, value in trained.baselines.items()}
    reporter.console.print(tables.scores(rows))
    record = trained.manifest.training
    reporter.say(
        f"trained in {record.seconds:.0f} s, peak memory "
        f"{record.peak_memory_bytes / 2**20:,.0f} MiB"
    )
    for shortfall in shortfalls(chosen.expected, trained.evaluations["test"]):
        reporter.say(f"warning: {shortfall}, short of what {configuration} expects")
    typer.echo(trained.tag)


def shortfalls(expected: Expected | None, test: Evaluation) -> list[str]:
    """Where a run fell short of its configuration's published figures."""
    if expected is None:
        return []
    reached = getattr(test, expected.metric)
    found = []
    if reached < expected.test:
        found.append(f"{expected.metric} {reached:.4f} on test is below {expected.test:.4f}")
    if test.ece > expected.ece:
        found.append(f"ECE {test.ece:.4f} on test is above {expected.ece:.4f}")
    return found
