"""``check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from valence.service.files.encodings import AUTO
from valence.training.cli.options import (
    WORKSPACE,
    ConfigurationFile,
    DataOption,
    EncodingOption,
    LabelOption,
    MultiLabelOption,
    NameOption,
    SeparatorOption,
    TextOption,
    WorkspaceOption,
    configuration_file,
)
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

if TYPE_CHECKING:
    from valence.training.checks.finding import Finding


def check(
    configuration: ConfigurationFile = None,
    *,
    data: DataOption = None,
    text: TextOption = "text",
    label: LabelOption = "label",
    multi_label: MultiLabelOption = False,
    separator: SeparatorOption = "|",
    encoding: EncodingOption = AUTO,
    name: NameOption = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="a model in the store whose data these are compared with; by default the one of "
            "the same name, if there is one"
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="leave out languages and wrong labels, which take long")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Say what is wrong with data before a model is trained on them; exit code 1 for an error."""
    from valence.service.errors import ArtifactError
    from valence.training.checks import report, suite
    from valence.training.config import schema as configurations
    from valence.training.data.preparation import load_splits
    from valence.training.registry import store

    reporter = Reporter()
    chosen = configurations.load(
        configuration_file(
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
    )
    if against is None:
        try:
            store.path(chosen.name)
        except ArtifactError:
            reporter.say(f"no model {chosen.name} in the store, so drift is not judged")
        else:
            against = chosen.name
    loaded, splits = load_splits(chosen, Run(Workspace(workspace), reporter))
    checked = suite.check(chosen, loaded, splits, slow=not quick, against=against)
    folder = suite.folder(workspace, chosen.name)
    report.write(folder, checked, name=chosen.name, texts=len(loaded.examples))
    reporter.console.print(_table(checked.findings))
    reporter.say(f"where: {folder / report.MARKDOWN}, {folder / report.JSON}")
    if checked.suspects:
        reporter.say(
            f"{folder / report.SUSPECTS} quotes {len(checked.suspects):,} texts, to be corrected"
        )
    for one in checked.findings:
        typer.echo(one.model_dump_json(exclude={"places"}))
    if checked.errors:
        raise typer.Exit(1)


def _table(findings: tuple[Finding, ...]) -> Table:
    table = Table("check", "severity", "texts", "share", "", show_lines=True)
    for one in findings:
        table.add_row(one.check, one.severity, f"{one.count:,}", f"{one.share:.2%}", one.message)
    return table
