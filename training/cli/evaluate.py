"""``valence evaluate``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from valence.service.files import dialects
from valence.service.files.encodings import AUTO
from valence.training.cli import tables
from valence.training.cli.options import (
    WORKSPACE,
    EncodingOption,
    EngineOption,
    JsonOption,
    ModelArgument,
    QuotingOption,
    WorkspaceOption,
)
from valence.training.cli.parameters import expand_options
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

if TYPE_CHECKING:
    from valence.service.classifier.manifest import Manifest
    from valence.training.config.columns import Columns
    from valence.training.evaluation.assessment.stored_assessment import StoredAssessment
    from valence.training.evaluation.assessment.texts import EvaluationTexts


@dataclass(frozen=True, slots=True)
class TextOptions:
    """The labelled texts that a model is evaluated on, and how their labels are called."""

    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Labelled texts instead of the model's own: a file (CSV, TSV, JSON, Parquet, "
            "Excel, fastText), a folder or a glob. May be repeated.",
            show_default=False,
        ),
    ] = None
    text: Annotated[
        str | None, typer.Option(help="Column that holds the text.", show_default="as trained on")
    ] = None
    label: Annotated[
        str | None, typer.Option(help="Column that holds the label.", show_default="as trained on")
    ] = None
    separator: Annotated[
        str | None,
        typer.Option(help="Separator of several labels.", show_default="as trained on"),
    ] = None
    encoding: EncodingOption = AUTO
    quoting: QuotingOption = dialects.AUTO
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="A label of --data and the model's name for it: 5=positive; 3= leaves texts out.",
            show_default=False,
        ),
    ] = None
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            help="Column whose values are evaluated apart. May be repeated.",
            show_default=False,
        ),
    ] = None
    outside: Annotated[
        list[str] | None,
        typer.Option(
            help="Texts that belong to none of the labels, in files like those of --data: how many "
            "of them does the model find? May be repeated.",
            show_default=False,
        ),
    ] = None
    trained_on_too: Annotated[
        bool,
        typer.Option(
            "--all", help="Use all texts of a file that the model was trained on, not the held-out."
        ),
    ] = False

    def make_columns(self, manifest: Manifest) -> Columns:
        """The columns of ``data``: as given, else as the model of ``manifest`` was trained on."""
        from valence.training.config.columns import Columns

        trained = manifest.training.configuration.get("data")
        known = trained if isinstance(trained, dict) else {}
        return Columns(
            text=self.text or str(known.get("text", "text")),
            label=self.label or str(known.get("label", "label")),
            encoding=self.encoding,
            task=manifest.task,
            label_separator=self.separator or str(known.get("label_separator", "|")),
            quoting=self.quoting,
        )


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What is reported, and by which engine the texts are scored."""

    against: Annotated[
        str | None,
        typer.Option(
            help="Another model, evaluated on the same texts and compared.", show_default=False
        ),
    ] = None
    errors: Annotated[int, typer.Option(min=0, help="Number of worst mistakes in the file.")] = 100
    show_errors: Annotated[
        bool,
        typer.Option(
            "--show-errors",
            help="Print the worst mistakes with their texts, and quote them in the page.",
        ),
    ] = False
    engine: EngineOption = "auto"
    baselines: Annotated[
        bool, typer.Option(help="Without --data: score a linear model (and VADER) too.")
    ] = True
    as_json: JsonOption = False
    workspace: WorkspaceOption = WORKSPACE


@expand_options
def evaluate(model: ModelArgument, *, texts: TextOptions, options: EvaluateOptions) -> None:
    """Evaluate a model of the store on its held-out texts, or on any labelled texts."""
    from valence.training.evaluation.assessment import outside, stored_assessment
    from valence.training.evaluation.assessment import texts as own_texts

    reporter = Reporter()
    workspace = Workspace(options.workspace)
    selection = own_texts.TextSelection(
        own_texts.parse_label_mapping(texts.mapping or ()),
        tuple(texts.slices or ()),
        texts.trained_on_too,
    )

    def read_texts(manifest: Manifest) -> EvaluationTexts:
        return own_texts.read_evaluation_texts(
            texts.data or (),
            texts.make_columns(manifest),
            manifest,
            selection=selection,
            reporter=reporter,
            cache=workspace.corpora,
        )

    def read_outside(manifest: Manifest) -> tuple[str, ...]:
        return outside.read_outside_texts(
            texts.outside or (), texts.make_columns(manifest), cache=workspace.corpora
        )

    found = stored_assessment.assess_stored_model(
        model,
        stored_assessment.AssessmentOptions(
            options.engine,
            options.against,
            with_baselines=options.baselines,
            mistakes=options.errors,
            quoted=options.show_errors,
        ),
        Run(workspace, reporter),
        read_texts=read_texts if texts.data else None,
        read_outside=read_outside if texts.outside else None,
    )
    reporter.console.print(tables.scores(found.rows))
    for part in tables.assessment(found.assessment):
        reporter.console.print(part, soft_wrap=isinstance(part, str))
    _print_mistakes(found.folder / stored_assessment.MISTAKES, reporter, shown=options.show_errors)
    if options.as_json:
        typer.echo(json.dumps(_make_json(found)))
    reporter.say(f"next: `valence serve --model {model}`")


def _print_mistakes(file: Path, reporter: Reporter, *, shown: bool) -> None:
    listed = file.read_text(encoding="utf-8", errors="surrogatepass")
    if shown:
        typer.echo(listed, err=True, nl=False)
    report = file.with_name("report.html")
    count = listed.count("\n")
    reporter.say(f"report: {report} (and .md); {count} worst mistakes: {file}")


def _make_json(found: StoredAssessment) -> dict[str, Any]:
    scores: dict[str, Any] = {name: value.as_json() for name, value in found.rows.items()}
    scores[f"{found.assessment.model} ({found.assessment.data})"]["intervals"] = {
        name: list(interval) for name, interval in found.assessment.intervals.items()
    }
    if found.assessment.outside is not None:
        scores[f"{found.assessment.model} ({found.assessment.data})"]["outside"] = (
            found.assessment.outside.model_dump(mode="json")
        )
    return scores
