"""The command line ``valence``: every command, in groups."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from valence.service.files.failures import exit_in_one_line
from valence.service.version import VERSION
from valence.training.cli import alias, feedback, shadow
from valence.training.cli.cells import cells
from valence.training.cli.check import check
from valence.training.cli.curve import curve
from valence.training.cli.evaluate import evaluate
from valence.training.cli.experiments import experiments
from valence.training.cli.export import export
from valence.training.cli.faithfulness import faithfulness
from valence.training.cli.fetch import fetch
from valence.training.cli.forwarding import SETTINGS, bento, keys, score
from valence.training.cli.lm import lm
from valence.training.cli.options import WORKSPACE
from valence.training.cli.predict import predict
from valence.training.cli.promote import promote
from valence.training.cli.pull import pull
from valence.training.cli.push import push
from valence.training.cli.queue import queue
from valence.training.cli.retrain import retrain
from valence.training.cli.rollback import rollback
from valence.training.cli.sample import sample
from valence.training.cli.search import search
from valence.training.cli.serve import serve
from valence.training.cli.show import show
from valence.training.cli.start import start
from valence.training.cli.teach import teach
from valence.training.cli.train import train
from valence.training.cli.typos import typos
from valence.training.cli.usage import UsageError, explain_usage

GROUPS: dict[str, tuple[Callable[..., Any], ...]] = {
    "Train": (train, start, search, retrain, teach),
    "Data": (fetch, check, curve, queue),
    "Models": (
        show,
        evaluate,
        faithfulness,
        typos,
        experiments,
        promote,
        rollback,
        push,
        pull,
        export,
    ),
    "Serve": (serve, keys, bento),
    "Score": (score, predict),
    "Character model": (lm, sample, cells),
}
_FORWARDED = (score, keys, bento)

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def print_version(wanted: bool) -> None:
    """Print the version and end, if it is ``wanted``."""
    if wanted:
        typer.echo(f"valence {VERSION}")
        raise typer.Exit


@app.callback(epilog="Models, corpora and reports are kept in the folder .valence.")
def describe(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version),
    ] = False,
) -> None:
    """Train, evaluate and serve text classifiers."""
    # the option has ended the command, if it was given
    del version


for _group, _commands in GROUPS.items():
    for _command in _commands:
        _settings = SETTINGS if _command in _FORWARDED else None
        app.command(rich_help_panel=_group, context_settings=_settings)(_command)
app.add_typer(alias.app, name="alias", rich_help_panel="Models")
app.add_typer(feedback.app, name="feedback", rich_help_panel="Serve")
app.add_typer(shadow.app, name="shadow", rich_help_panel="Models")


def main() -> None:
    """Run a command; an error on purpose, or of the system, is one line and exit code 1.

    Wrong arguments are one line and exit code 2.

    Models are in the store that ``make`` uses too, unless ``BENTOML_HOME`` names another one.
    """
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    os.environ.setdefault("BENTOML_HOME", str((WORKSPACE / "bentoml").resolve()))
    with exit_in_one_line():
        try:
            ended = app(prog_name="valence", standalone_mode=False)
        except UsageError as error:
            explain_usage(error)
        except typer.Abort:
            ended = 1
        sys.exit(ended or 0)
