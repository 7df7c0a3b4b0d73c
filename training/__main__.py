"""The commands of the training pipeline: ``python -m training COMMAND --help``."""

from __future__ import annotations

import os
import sys

import typer
from valence.service.errors import ValenceError
from valence.training.commands.cells import cells
from valence.training.commands.check import check
from valence.training.commands.evaluate import evaluate
from valence.training.commands.experiments import experiments
from valence.training.commands.faithfulness import faithfulness
from valence.training.commands.fetch import fetch
from valence.training.commands.lm import lm
from valence.training.commands.predict import predict
from valence.training.commands.promote import promote
from valence.training.commands.retrain import retrain
from valence.training.commands.rollback import rollback
from valence.training.commands.sample import sample
from valence.training.commands.search import search
from valence.training.commands.show import show
from valence.training.commands.train import train
from valence.training.commands.typos import typos

app = typer.Typer(
    help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)
commands = (fetch, check, train, search, retrain, promote, rollback, show)
for command in (*commands, evaluate, experiments, faithfulness, typos, predict, lm, sample, cells):
    app.command()(command)


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
