"""``valence start``."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from valence.service.files.encodings import AUTO
from valence.training.cli.options import (
    WORKSPACE,
    EncodingOption,
    TrackOption,
    WorkspaceOption,
)
from valence.training.cli.parameters import expand_options
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace


@dataclass(frozen=True, slots=True)
class StartOptions:
    """The labels, the texts to confirm, and where things go."""

    labels: Annotated[
        str,
        typer.Option(
            help="The labels, with commas between them; or a file with a label a line, and a "
            "description after a colon."
        ),
    ]
    text: Annotated[str, typer.Option(help="Column that holds the text.")] = "text"
    encoding: EncodingOption = AUTO
    count: Annotated[int, typer.Option(min=20, help="Texts to confirm.")] = 100
    confirmed: Annotated[
        Path,
        typer.Option(
            help="The file of texts to confirm: written if it is not there, else learnt from."
        ),
    ] = Path("confirm.csv")
    name: Annotated[str, typer.Option(help="Name of the model.")] = "mine"
    track: TrackOption = True
    workspace: WorkspaceOption = WORKSPACE


@expand_options
def start(
    texts: Annotated[str, typer.Argument(help="A file of texts without labels, or a folder.")],
    *,
    options: StartOptions,
) -> None:
    """Train a classifier on texts without labels, from the names of the labels.

    The first call writes some texts with proposed labels, to be confirmed. The second call, with
    the same options, learns from the other texts; the confirmed texts calibrate and judge.
    """
    from valence.service.files.atomic_write import require_path
    from valence.training.config.columns import Columns
    from valence.training.labelling.label_names import read_labels
    from valence.training.labelling.proposals import propose_labels

    named = read_labels(options.labels)
    if not options.confirmed.is_file():
        require_path(options.confirmed)
    reporter = Reporter()
    run = Run(Workspace(options.workspace), reporter)
    proposals = propose_labels([texts], Columns(options.text, "", options.encoding), named, run)
    if not options.confirmed.is_file():
        rows = proposals.draw(options.count)
        proposals.write(options.confirmed, rows)
        reporter.say(
            f"{len(rows):,} texts with proposed labels are in {options.confirmed}: correct the "
            "labels, remove the rows that you cannot tell, and give the same command again"
        )
        return
    from valence.training.pipeline import training_run
    from valence.training.pipeline.start import make_start_configuration
    from valence.training.tracking.tracker import UNTRACKED, track_run

    chosen = make_start_configuration(proposals, options.confirmed, options.name, run)
    with (
        track_run(options.workspace, reporter)
        if options.track
        else nullcontext(UNTRACKED) as tracking
    ):
        trained = training_run.train_classifier(
            chosen, run, fresh=True, with_baselines=False, tracking=tracking, unchecked=True
        )
    scores = trained.evaluations["dev"]
    reporter.say(
        f"{trained.tag}: accuracy {scores.accuracy:.3f}, macro-F1 {scores.macro_f1:.3f}, ECE "
        f"{scores.ece:.3f} on the confirmed texts; `valence promote {trained.tag}` serves it"
    )
    typer.echo(trained.tag)
