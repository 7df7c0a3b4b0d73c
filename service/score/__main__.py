"""``valence score IN OUT``: score a file of texts without a server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from valence.service.classifier.truncation import TRUNCATIONS
from valence.service.command.parser import CommandParser
from valence.service.errors import ConfigurationError
from valence.service.files.failures import exit_in_one_line

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    An error that Valence raises on purpose, and one of the operating system, is one line, with exit
    code 1. A signal from the keyboard ends the command with 130.
    """
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    try:
        with exit_in_one_line():
            _run(_parser().parse_args(arguments))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command resumes\n")
        sys.exit(INTERRUPTED)


def _parser() -> CommandParser:
    from valence.service.classifier.result import UNREADABLE
    from valence.service.files.dialects import QUOTINGS
    from valence.service.files.formats import FORMATS, READABLE
    from valence.service.score import options

    parser = CommandParser(
        prog="valence score",
        description="Score a file of texts. OUT has the columns of IN and label, "
        "probability_LABEL for each label, characters, tokens, tokens_used, unknown_tokens, "
        "windows, truncated, reason for a label that is uncertain, and error for a row without a "
        "score. An interrupted command resumes when it is started again.",
    )
    parser.add_argument("source", metavar="IN", type=Path)
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument(
        "--text-column", default="text", help="column with the texts; default: text"
    )
    parser.add_argument(
        "--model",
        default="sentiment",
        help="NAME or NAME:VERSION of the model store, the path of a folder such as ./model, or an "
        "address such as hf:OWNER/NAME; default: sentiment",
    )
    parser.add_argument(
        "--engine", default="auto", help="engine, as in VALENCE_ENGINE; default: auto"
    )
    parser.add_argument("--truncation", choices=TRUNCATIONS, default="head")
    parser.add_argument(
        "--top-k",
        type=_checked(options.parse_top_k),
        default=0,
        help="write the probabilities of only the k likeliest labels",
    )
    parser.add_argument(
        "--min-confidence",
        type=_checked(options.parse_min_confidence),
        default=0.0,
        help="lowest probability of a label that is given; below it the label is uncertain",
    )
    parser.add_argument(
        "--unreadable",
        choices=UNREADABLE,
        default="uncertain",
        help="what a text gets of which the model knows no word, such as an empty text",
    )
    parser.add_argument(
        "--encoding",
        default="auto",
        help="encoding of IN; utf-8,cp1252 reads lines that are not in UTF-8 as cp1252; default: "
        "detect it",
    )
    parser.add_argument(
        "--quoting",
        choices=QUOTINGS,
        default="auto",
        help="how a field of CSV or TSV has a quotation mark within it; none: quotation marks "
        "enclose no fields; default: detect it",
    )
    parser.add_argument(
        "--in-format",
        choices=READABLE,
        help="format of IN; default: by its content and extension",
    )
    parser.add_argument(
        "--out-format", choices=FORMATS, help="format of OUT; default: by its extension"
    )
    parser.add_argument("--prefix", default="", help="prefix of the names of the added columns")
    parser.add_argument(
        "--jobs",
        type=_checked(options.parse_jobs),
        default=1,
        help="processes that score at the same time, or auto for one on each core; OUT is the same "
        "with any number; default: 1",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="start over instead of resuming an interrupted run"
    )
    return parser


def _checked(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """``parse`` as a type of :mod:`argparse`."""

    def parse_argument(text: str) -> Any:
        try:
            return parse(text)
        except ConfigurationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument


def _run(arguments: argparse.Namespace) -> None:
    from valence.service.files import encodings, formats
    from valence.service.score import run
    from valence.service.score.jobs import Jobs
    from valence.service.score.options import Options, ScoreOptions
    from valence.service.score.recipe import ScorerRecipe

    out_format = formats.require_output_format(arguments.out, arguments.out_format)
    # before the file is opened, which for a pipe would wait
    run.require_paths(arguments.source, arguments.out)
    in_format = formats.require_format(arguments.source, arguments.in_format)
    encoding = arguments.encoding
    if encoding == encodings.AUTO and in_format not in formats.BINARY:
        detected = encodings.detect_file_encoding(arguments.source)
        encoding = detected.name
        if detected.guessed:
            sys.stderr.write(detected.guess_warning(f"{arguments.source} is") + "\n")
    options = Options(
        text_column=arguments.text_column,
        in_format=in_format,
        out_format=out_format,
        encoding=encoding,
        quoting=arguments.quoting,
        prefix=arguments.prefix,
    )
    if arguments.fresh:
        run.delete_parts(arguments.out)
    # the fastest engine may differ between runs and jobs, and engines round differently
    engine = run.read_engine_name(arguments.out) if arguments.engine == "auto" else None
    recipe = ScorerRecipe.find(
        arguments.model,
        engine=engine or arguments.engine,
        options=ScoreOptions(
            arguments.truncation,
            arguments.top_k,
            arguments.min_confidence,
            arguments.unreadable,
        ),
    )
    scorer = recipe.make()
    jobs = None
    if arguments.jobs > 1:
        recipe = replace(recipe, engine=scorer.engine.name)
        jobs = Jobs(arguments.jobs, recipe, lambda line: sys.stderr.write(f"{line}\n"))
    with _progress() as advance:
        tally = run.score_file(
            arguments.source,
            arguments.out,
            scorer=scorer,
            options=options,
            jobs=jobs,
            advance=advance,
        )
    sys.stderr.write(f"{tally.rows:,} rows: {arguments.out}\n")
    for line in tally.describe(options.text_column, f"{options.prefix}error"):
        sys.stderr.write(f"{line}\n")


@contextmanager
def _progress() -> Iterator[Callable[[int, float], None]]:
    """A progress bar on a terminal: share of the input, rows, time, time left."""
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
