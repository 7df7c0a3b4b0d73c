"""``valence score IN OUT``: score a file of texts, without a server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from valence.service.classifier.truncation import TRUNCATIONS
from valence.service.errors import ConfigurationError, ValenceError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; an error Valence raises on purpose is one line and exit code 1."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    try:
        _run(_parser().parse_args(arguments))
    except ValenceError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    from valence.service.files.tables import FORMATS

    parser = argparse.ArgumentParser(
        prog="valence score",
        description="Score a file of texts. OUT has the columns of IN and: label, "
        "probability_LABEL for each label, characters, tokens, tokens_used, unknown_tokens, "
        "windows, truncated, and error where a row could not be scored. Interrupted and started "
        "again, it goes on.",
    )
    parser.add_argument("source", metavar="IN", type=Path)
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--text-column", default="text", help="default: text")
    parser.add_argument("--model", default="sentiment", help="NAME or NAME:VERSION")
    parser.add_argument("--engine", default="auto", help="as VALENCE_ENGINE says it")
    parser.add_argument("--truncation", choices=TRUNCATIONS, default="head")
    parser.add_argument(
        "--top-k", type=int, default=0, help="probabilities of only the k likeliest"
    )
    parser.add_argument("--min-confidence", type=float, default=0.0)
    parser.add_argument(
        "--encoding", default="auto", help="of a CSV, TSV or JSONL input; default: it tells"
    )
    parser.add_argument("--in-format", choices=FORMATS, help="default: by the extension of IN")
    parser.add_argument("--out-format", choices=FORMATS, help="default: by the extension of OUT")
    parser.add_argument("--prefix", default="", help="before the name of each added column")
    parser.add_argument("--fresh", action="store_true", help="forget an interrupted run")
    return parser


def _run(asked: argparse.Namespace) -> None:
    from valence.service.files import encodings, tables
    from valence.service.score import run

    in_format = tables.known_format(asked.source, asked.in_format)
    out_format = tables.known_format(asked.out, asked.out_format)
    if not asked.source.is_file():
        raise ConfigurationError(f"{asked.source} is no file")
    encoding = asked.encoding
    if encoding == encodings.AUTO and in_format != "parquet":
        found = encodings.of(asked.source)
        encoding = found.name
        if found.guessed:
            sys.stderr.write(found.doubt(f"{asked.source} is") + "\n")
    options = run.Options(
        text_column=asked.text_column,
        in_format=in_format,
        out_format=out_format,
        encoding=encoding,
        truncation=asked.truncation,
        top_k=asked.top_k,
        min_confidence=asked.min_confidence,
        prefix=asked.prefix,
    )
    if asked.fresh:
        run.forget(asked.out)
    from valence.service.classifier import artifact
    from valence.service.classifier.classifier import Classifier
    from valence.service.inference.engines import factory
    from valence.service.observability.log import Log
    from valence.service.registry import models
    from valence.service.settings import Settings

    (folder,) = models.folders(Settings(models=(asked.model,)))
    loaded = artifact.load(folder)
    # which one measures fastest may be another one today, and its roundings others
    name = (run.begun_with(asked.out) if asked.engine == "auto" else None) or asked.engine
    engine = factory.create(loaded, name=name, log=Log(sys.stderr, access=False))
    with _progress() as advance:
        rows = run.score(
            asked.source,
            asked.out,
            classifier=Classifier(loaded),
            engine=engine,
            options=options,
            advance=advance,
        )
    sys.stderr.write(f"{rows:,} rows: {asked.out}\n")


@contextmanager
def _progress() -> Iterator[Callable[[int, float], None]]:
    """A bar on a terminal, and nothing elsewhere: share of the input, rows, time, time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("scoring", total=1.0, rows=0)
        yield lambda rows, share: progress.update(task, completed=share, rows=rows)


if __name__ == "__main__":
    main()
