"""``valence check``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table
from valence.training.cli.options import (
    WORKSPACE,
    ConfigurationArgument,
    DataOptions,
    JsonOption,
    WorkspaceOption,
)
from valence.training.cli.parameters import expand_options
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

if TYPE_CHECKING:
    from valence.training.checks.finding import Finding

_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How thoroughly data are checked, and against which model's data."""

    against: Annotated[
        str | None,
        typer.Option(
            help="Model of the store whose data these are compared with; without it the model of "
            "the same name, if there is one.",
            show_default=False,
        ),
    ] = None
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Leave out the checks that take long: languages, wrong labels."
        ),
    ] = False
    as_json: JsonOption = False
    workspace: WorkspaceOption = WORKSPACE


@expand_options
def check(
    configuration: ConfigurationArgument = None, *, data: DataOptions, options: CheckOptions
) -> None:
    """Check labelled data before a model is trained on them; the exit code is 1 for an error."""
    from valence.service.errors import ArtifactError
    from valence.training.checks import report, suite
    from valence.training.config import loader
    from valence.training.data.preparation import load_splits
    from valence.training.registry import store

    reporter = Reporter()
    chosen = loader.load_configuration(
        data.find_configuration(configuration, workspace=options.workspace, reporter=reporter)
    )
    against = options.against
    if against is None:
        try:
            store.find_model(chosen.name)
        except ArtifactError:
            reporter.say(f"the store holds no model {chosen.name}, so drift is not checked")
        else:
            against = chosen.name
    loaded, splits = load_splits(chosen, Run(Workspace(options.workspace), reporter))
    checked = suite.run_checks(chosen, loaded, splits, slow=not options.quick, against=against)
    folder = suite.report_folder(options.workspace, chosen.name)
    report.write_report(folder, checked, name=chosen.name, texts=len(loaded.examples))
    reporter.console.print(make_table(checked.findings))
    if checked.suspects:
        reporter.say(
            f"{folder / report.SUSPECTS} quotes {len(checked.suspects):,} texts to be corrected"
        )
    reporter.say(f"report: {folder / report.PAGE} (and .md and .json)")
    if options.as_json:
        for finding in checked.findings:
            typer.echo(finding.model_dump_json(exclude={"places"}))
    if checked.errors:
        reporter.say("next: correct the errors, or train with --unchecked")
        raise typer.Exit(1)
    reporter.say("next: `valence train` with the same arguments")


def make_table(findings: tuple[Finding, ...]) -> Table:
    """The findings as a table; severities have colours."""
    table = Table("check", "severity", "texts", "share", "", show_lines=True)
    for finding in findings:
        count, share = f"{finding.count:,}", f"{finding.share:.2%}"
        severity = f"[{_COLOURS[finding.severity]}]{finding.severity}[/]"
        table.add_row(finding.check, severity, count, share, escape(finding.message))
    return table
