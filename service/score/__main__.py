"""``valence score IN OUT``: score a file of texts without a server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valence.service.classifier.truncation import TRUNCATIONS
from valence.service.command.parser import CommandParser
from valence.service.errors import ConfigurationError
from valence.service.files.failures import exit_in_one_line

if TYPE_CHECKING:
    from valence.service.score.options import ScoreOptions

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
    parser.add_argument("source", metavar="IN")
    parser.add_argument("out", metavar="OUT")
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
        "--engine",
        default="auto",
        help="engine, as in VALENCE_ENGINE; default: auto. ray, or ray:ENGINE: the cluster of "
        "RAY_ADDRESS, or this machine without it, scores by Ray Data. IN is a file, a folder or an "
        "address of Parquet then, and OUT a new folder",
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
        help="processes that score at the same time, or auto for one on each core; OUT is the same "
        "with any number; default: 1, with --engine ray one on each core of the cluster",
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
    from valence.service.score import ray_data

    engine, _, inner = arguments.engine.partition(":")
    if engine == ray_data.ENGINE:
        _run_on_ray(arguments, inner or "auto")
    else:
        _run_here(arguments)


def _run_on_ray(arguments: argparse.Namespace, engine: str) -> None:
    from valence.service.score.ray_data import RayRun
    from valence.service.score.recipe import find_cluster_recipe
    from valence.service.score.tables import TableScorer

    _refuse_options(arguments)
    recipe = find_cluster_recipe(arguments.model, engine=engine, options=_read_options(arguments))
    scorer = TableScorer(recipe, arguments.text_column, arguments.prefix)
    rows = RayRun(arguments.source, arguments.out, scorer, arguments.jobs or 0).score()
    sys.stderr.write(f"{rows:,} rows: {arguments.out}\n")


def _refuse_options(arguments: argparse.Namespace) -> None:
    """Raise :class:`ConfigurationError` for an option that means nothing to Ray."""
    default = _parser().parse_args(["IN", "OUT"])
    for name in ("encoding", "quoting", "in_format", "out_format", "fresh"):
        if getattr(arguments, name) != getattr(default, name):
            raise ConfigurationError(
                f"--{name.replace('_', '-')} cannot be used with --engine ray, which reads and "
                "writes Parquet; leave it out"
            )


def _read_options(arguments: argparse.Namespace) -> ScoreOptions:
    from valence.service.score.options import ScoreOptions

    return ScoreOptions(
        arguments.truncation, arguments.top_k, arguments.min_confidence, arguments.unreadable
    )


def _run_here(arguments: argparse.Namespace) -> None:
    from valence.service.files import encodings, formats
    from valence.service.machine.garbage import spare_loaded_objects
    from valence.service.score import run
    from valence.service.score.jobs import Jobs, start_server
    from valence.service.score.options import Options
    from valence.service.score.recipe import ScorerRecipe

    arguments.source, arguments.out = Path(arguments.source), Path(arguments.out)
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
    if (arguments.jobs or 1) > 1:
        start_server(arguments.jobs)
    # the fastest engine may differ between runs and jobs, and engines round differently
    engine = run.read_engine_name(arguments.out) if arguments.engine == "auto" else None
    recipe = ScorerRecipe.find(
        arguments.model,
        engine=engine or arguments.engine,
        options=_read_options(arguments),
    )
    scorer = recipe.make()
    jobs = None
    if (arguments.jobs or 1) > 1:
        recipe = replace(recipe, engine=scorer.engine.name)
        jobs = Jobs(arguments.jobs, recipe, lambda line: sys.stderr.write(f"{line}\n"))
    spare_loaded_objects()
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
