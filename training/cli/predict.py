"""``valence predict``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

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
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a text, as the service answers.")
    ] = False,
) -> None:
    """Classify texts with a model of the store: a line for each text, with its label and score."""
    from valence.training.evaluation import stored_model

    # a byte that is not UTF-8 becomes a replacement character; the other lines are answered
    piped = typer.get_text_stream("stdin", encoding="utf-8", errors="replace")
    lines = texts or (line.rstrip("\n") for line in piped)
    for answer in stored_model.predict_texts(model, lines, engine=engine, truncation=truncation):
        typer.echo(json.dumps(answer) if as_json else _make_line(answer))


def _make_line(answer: Mapping[str, Any]) -> str:
    """The labels of a text and their scores, or the reason for none, with a tab between the two."""
    scores = {one["label"]: one["score"] for one in answer["scores"]}
    told = [f"{scores[label]:.4f}" for label in answer["labels"]]
    return f"{', '.join(answer['labels']) or answer['label']}\t{', '.join(told) or _reason(answer)}"


def _reason(answer: Mapping[str, Any]) -> str:
    """Why a text has no label; an empty one where a text that may have several has none."""
    return str(answer.get("reason", "")).replace("_", " ")
