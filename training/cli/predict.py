"""``valence predict``."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from valence.service.classifier.truncation import Truncation
from valence.training.cli.options import EngineOption, ModelArgument


def predict(
    model: ModelArgument,
    texts: Annotated[
        list[str] | None, typer.Argument(help="Texts.", show_default="the lines of standard input")
    ] = None,
    *,
    engine: EngineOption = "auto",
    truncation: Annotated[
        Truncation,
        typer.Option(help="The part that is read of a text longer than the model reads."),
    ] = "head",
) -> None:
    """Classify texts with a model of the store: one JSON object a line, as the service answers."""
    from valence.training.evaluation import stored_model

    # a byte that is not UTF-8 becomes a replacement character; the other lines are answered
    piped = typer.get_text_stream("stdin", encoding="utf-8", errors="replace")
    lines = texts or (line.rstrip("\n") for line in piped)
    for answer in stored_model.predict_texts(model, lines, engine=engine, truncation=truncation):
        typer.echo(json.dumps(answer))
