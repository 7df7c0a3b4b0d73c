"""``evaluate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from valence.service.files.encodings import AUTO
from valence.training.cli import tables
from valence.training.cli.options import (
    WORKSPACE,
    EncodingOption,
    EngineOption,
    Model,
    WorkspaceOption,
)
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

if TYPE_CHECKING:
    from valence.service.classifier.manifest import Manifest
    from valence.training.evaluation.assessment.texts import EvaluationTexts


def evaluate(
    model: Model,
    *,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="labelled texts instead of its own: a CSV, TSV, JSONL or Parquet file, a folder "
            "or a glob; may be repeated"
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="the column of --data that holds the text [as trained on]")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="the column that holds the label [as trained on]")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(help="between the labels of one string [as trained on]")
    ] = None,
    encoding: EncodingOption = AUTO,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="a label of --data is this one of the model: 5=positive; 3= leaves it out"
        ),
    ] = None,
    slices: Annotated[
        list[str] | None, typer.Option("--slice", help="a column whose values are judged apart")
    ] = None,
    trained_on_too: Annotated[
        bool, typer.Option("--all", help="of a file it was trained on all texts, not the held-out")
    ] = False,
    against: Annotated[
        str | None, typer.Option(help="another model, judged on the same texts and compared")
    ] = None,
    errors: Annotated[int, typer.Option(min=0, help="worst mistakes that are listed")] = 100,
    show_errors: Annotated[
        bool, typer.Option("--show-errors", help="print the worst mistakes too, with their texts")
    ] = False,
    engine: EngineOption = "auto",
    baselines: Annotated[
        bool, typer.Option(help="without --data: score a linear model (and VADER) too")
    ] = True,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Judge a model in the store: on its own held-out texts, or on labelled texts of anyone."""
    from valence.training.config.columns import Columns
    from valence.training.evaluation.assessment import stored_assessment, texts
    from valence.training.evaluation.assessment.texts import TextSelection, parse_label_mapping

    reporter = Reporter()
    selection = TextSelection(
        parse_label_mapping(mapping or ()), tuple(slices or ()), trained_on_too
    )

    def read(manifest: Manifest) -> EvaluationTexts:
        trained = manifest.training.configuration.get("data")
        known = trained if isinstance(trained, dict) else {}
        table = Columns(
            text=text or str(known.get("text", "text")),
            label=label or str(known.get("label", "label")),
            encoding=encoding,
            task=manifest.task,
            label_separator=separator or str(known.get("label_separator", "|")),
        )
        return texts.read_evaluation_texts(
            data or (),
            table,
            manifest,
            selection=selection,
            reporter=reporter,
            cache=Workspace(workspace).corpora,
        )

    found = stored_assessment.assess_stored_model(
        model,
        stored_assessment.AssessmentOptions(
            engine, against, with_baselines=baselines, mistakes=errors
        ),
        Run(Workspace(workspace), reporter),
        read_texts=read if data else None,
    )
    reporter.console.print(tables.scores(found.rows))
    for part in tables.assessment(found.assessment):
        reporter.console.print(part, soft_wrap=isinstance(part, str))
    listed = (found.folder / stored_assessment.MISTAKES).read_text(
        encoding="utf-8", errors="surrogatepass"
    )
    if show_errors:
        typer.echo(listed, err=True, nl=False)
    reporter.say(
        f"report: {found.folder / 'report.html'} (and .md); {listed.count(chr(10))} worst "
        f"mistakes: {found.folder / stored_assessment.MISTAKES}"
    )
    answer = {name: value.as_json() for name, value in found.rows.items()}
    answer[f"{found.assessment.model} ({found.assessment.data})"]["intervals"] = {
        name: list(within) for name, within in found.assessment.intervals.items()
    }
    typer.echo(json.dumps(answer))
