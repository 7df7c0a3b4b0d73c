"""The commands of the training pipeline: ``python -m training COMMAND --help``."""

from __future__ import annotations

import os
import sys

import typer

from service.errors import ValenceError
from training.commands.cells import cells
from training.commands.check import check
from training.commands.evaluate import evaluate
from training.commands.experiments import experiments
from training.commands.faithfulness import faithfulness
from training.commands.fetch import fetch
from training.commands.lm import lm
from training.commands.predict import predict
from training.commands.promote import promote
from training.commands.retrain import retrain
from training.commands.rollback import rollback
from training.commands.sample import sample
from training.commands.search import search
from training.commands.show import show
from training.commands.train import train
from training.commands.typos import typos

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
