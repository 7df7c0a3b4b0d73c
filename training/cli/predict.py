"""``valence predict``."""

from __future__ import annotations

import itertools
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
        bool, typer.Option("--json", help="One JSON object a line, as the service answers.")
    ] = False,
) -> None:
    """Classify texts with a model of the store: label, probability and text, one text a line."""
    from valence.training.evaluation import stored_model

    # a byte that is not UTF-8 becomes a replacement character; the other lines are answered
    piped = typer.get_text_stream("stdin", encoding="utf-8", errors="replace")
    lines = texts or (line.rstrip("\n") for line in piped)
    asked, shown = itertools.tee(lines)
    answers = stored_model.predict_texts(model, asked, engine=engine, truncation=truncation)
    for text, answer in zip(shown, answers, strict=True):
        typer.echo(json.dumps(answer) if as_json else _show(text, answer))


def _show(text: str, answer: Mapping[str, Any]) -> str:
    """Label, probability and text, with tabs between them; the text is one line."""
    if "reason" in answer:
        labels = f"{answer['label']} ({answer['reason']})"
    else:
        labels = ", ".join(answer["labels"]) or "none"  # of a multi-label model
    return f"{labels}\t{answer['scores'][0]['score']:.2f}\t{' '.join(text.split())}"
