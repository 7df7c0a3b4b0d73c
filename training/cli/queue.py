"""``valence queue``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from valence.service.errors import ConfigurationError
from valence.service.files import dialects
from valence.service.files.encodings import AUTO
from valence.training.cli.feedback_store import DatabaseOption, open_sample
from valence.training.cli.options import (
    EncodingOption,
    EngineOption,
    ModelArgument,
    QuotingOption,
)
from valence.training.cli.parameters import expand_options
from valence.training.runtime.progress import Reporter

if TYPE_CHECKING:
    from valence.training.config.columns import Columns

MAX_TEXTS = 100_000
"""That are ranked: their scores are in memory together."""
_CSV, _TASKS = ".csv", ".json"


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Which texts are ranked, and where the first ones go."""

    count: Annotated[int, typer.Option(min=1, max=10_000, help="Texts in the queue.")] = 200
    out: Annotated[
        list[Path] | None,
        typer.Option(
            help="File to write: .csv to fill in or for the page /label; .json for Label Studio, "
            "with its labelling configuration beside it as .xml. May be repeated.",
            show_default="queue.csv",
        ),
    ] = None
    labelled: Annotated[
        list[str] | None,
        typer.Option(
            help="Files whose texts have labels already, and leave the queue. May be repeated.",
            show_default=False,
        ),
    ] = None
    sample: Annotated[
        bool,
        typer.Option(
            "--sample",
            help="Rank the texts of this model that the service keeps (VALENCE_SAMPLE_TEXTS).",
        ),
    ] = False
    database: DatabaseOption = ""
    text: Annotated[str, typer.Option(help="Column that holds the text.")] = "text"
    encoding: EncodingOption = AUTO
    quoting: QuotingOption = dialects.AUTO
    engine: EngineOption = "auto"


@expand_options
def queue(
    model: ModelArgument,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="Texts without labels: files, folders or globs, as of --data.", show_default=False
        ),
    ] = None,
    *,
    options: QueueOptions,
) -> None:
    """Rank texts by how much their labels would teach a model; the first ones are to be labelled.

    First come texts of which the model is unsure, or whose kind is new since its training, each
    unlike the ones before. `valence train` and `valence retrain` read the file once it is labelled.
    """
    paths = options.out or [Path(f"queue{_CSV}")]
    for path in paths:
        if path.suffix not in (_CSV, _TASKS):
            raise ConfigurationError(f"--out {path}: name it NAME{_CSV} or NAME{_TASKS}")
    from valence.service.annotation.choices import write_configuration
    from valence.service.files.atomic_write import write_file
    from valence.training.active_learning.files import format_csv, format_tasks
    from valence.training.active_learning.queue import rank_texts
    from valence.training.config.columns import Columns
    from valence.training.corpora.normal_form import normal_form
    from valence.training.evaluation.stored_model import load_stored_model

    reporter = Reporter()
    columns = Columns(options.text, "", options.encoding, quoting=options.quoting)
    if options.sample is bool(files):
        raise ConfigurationError("name files of texts or --sample, one of both")
    source = ", ".join(files or ["the sample"])
    texts = _read_texts(files or [], columns)
    if options.sample:
        with open_sample(options.database) as store:
            texts = [one.text for one in store.read(model.partition("@")[0].partition(":")[0])]
    labelled = [normal_form(text) for text in _read_texts(options.labelled or [], columns)]
    classifier, engine = load_stored_model(model, options.engine)
    artifact = classifier.artifact
    entries = rank_texts(artifact, engine, texts, count=options.count, labelled=labelled)
    if not entries:
        raise ConfigurationError(f"{source}: no text without a label is left; nothing is written")
    for path in paths:
        if path.suffix == _CSV:
            write_file(path, format_csv(entries))
        else:
            write_file(path, format_tasks(entries, artifact.manifest))
            write_file(path.with_suffix(".xml"), write_configuration(artifact.manifest))
    drifting = sum(entry.reason == "drifting" for entry in entries)
    reporter.say(
        f"{len(entries):,} of {len(texts):,} texts to label, {drifting:,} of them of a new kind: "
        f"{', '.join(map(str, paths))}"
    )
    reporter.say("next: label them on the page /label of a server, or in Label Studio")


def _read_texts(patterns: list[str], columns: Columns) -> list[str]:
    """The texts of the files of ``patterns``; raises :class:`ConfigurationError`."""
    from valence.training.corpora import files

    texts: list[str] = []
    for path in files.find_files(patterns) if patterns else ():
        table = files.resolve_encoding(path, columns).table
        for example in files.read_examples(path, table, corpus=path.name):
            texts.append(example.text)
            if len(texts) > MAX_TEXTS:
                raise ConfigurationError(
                    f"{', '.join(patterns)}: more than {MAX_TEXTS:,} texts, which are ranked "
                    "together; give a part of them"
                )
    return texts
