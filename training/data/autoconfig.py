"""Choose a configuration for files of labelled texts, so that the user need not choose.

Rules of thumb, taken from the published configurations (``docs/training-log.md``):

* ``max_tokens`` so that 99 of 100 texts are read whole, in steps of 32 up to 512;
* frequent numbers are words of their own if more than half of the words are numbers;
* fewer than ``FEW_TEXTS`` texts, half of them of ``LONG_TOKENS`` or more: a small network over
  tuned GloVe words that averages what it reads and leaves much out in training, unless most have
  letters of a script without spaces, of which GloVe has none; else the default network, since an
  average tells short texts apart badly;
* epochs until the network has taken ``STEPS`` steps, at least 4 and at most 40, so that few texts
  are seen often enough;
* files that are streamed (:mod:`valence.training.data.stream`) are passed once, or for
  ``MAX_STEPS`` steps;
  what is said of all texts here is said of a sample.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from valence.service.classifier import tokenizer
from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import write_file
from valence.service.files.encodings import AUTO
from valence.service.files.missing_values import is_missing
from valence.training.config.columns import Columns
from valence.training.config.loader import parse_configuration
from valence.training.config.schema import Optimization
from valence.training.corpora import catalog, files, hub, torchtext_sets
from valence.training.corpora.example import Example
from valence.training.data import large_files
from valence.training.data.label_names import sort_labels
from valence.training.data.vocabulary import holds_mostly_numbers
from valence.training.runtime.progress import Reporter

FEW_TEXTS = 5_000
LONG_TOKENS = 100
STEPS = 600
MAX_STEPS = 20_000
_MIN_EPOCHS, _MAX_EPOCHS = 4, 40
# With more labels, the column is probably not a column of labels.
MAX_LABELS = 1_000
_POLARITY = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}
_HEADER = """\
# Chosen for {files} by `valence train --data`, which writes it anew each time.
# To change a choice, copy this file and train the copy.

"""


def write_configuration(
    patterns: Sequence[str],
    columns: Columns,
    *,
    name: str | None,
    workspace: Path,
    reporter: Reporter,
) -> Path:
    """Write a configuration for the files of ``patterns`` into ``workspace``; its path.

    The labels are those of the data, sorted; numbers by their value. The task is multi-label if
    ``columns`` say so, or if the first label in the data is a list. Raises
    :class:`ConfigurationError` for data that cannot be read, for fewer than two labels, and for too
    many different labels.
    """
    cache = workspace / "corpora"
    paths = files.find_files(patterns, cache)
    if _holds_lists(paths[0], columns):
        columns = replace(columns, task="multi_label")
    if large_files.is_large(paths):
        source = large_files.open_source(patterns, columns, cache, reporter)
        loaded, share = large_files.load_sample(source), source.sampled
    else:
        loaded = catalog.load_corpora(
            (), cache=cache, patterns=patterns, columns=columns, progress=reporter.say
        )
        share = 1.0
    labels = collect_labels(loaded.examples, columns)
    content: dict[str, Any] = {"name": name or _name_model(paths, patterns)}
    if columns.task == "multi_label":
        content["task"] = "multi_label"
    content["labels"] = labels
    polarity = infer_polarity(labels)
    if columns.task == "single_label" and polarity is not None:
        content["polarity"] = polarity
    content["data"] = {
        "files": list(patterns),
        "text": columns.text,
        "label": columns.label,
        **({"encoding": columns.encoding} if columns.encoding != AUTO else {}),
        **({"quoting": columns.quoting} if columns.quoting != AUTO else {}),
        **({"label_separator": columns.label_separator} if columns.label_separator != "|" else {}),
    }
    content |= _choose_sections(loaded.examples, share)
    folder = workspace / "configs"
    path = folder / f"{parse_configuration(content, source=', '.join(patterns)).name}.toml"
    header = _HEADER.format(files=", ".join(files.name_files(paths)))
    write_file(path, header + tomli_w.dumps(content))
    reporter.say(f"{len(loaded.examples):,} texts, {len(labels)} labels; settings are in {path}")
    return path


def _choose_sections(examples: Sequence[Example], share: float) -> dict[str, Any]:
    """The sections that depend on the number and the lengths of the texts.

    ``examples`` are a ``share`` of all texts; the share is below 1 for streamed files.
    """
    lengths = np.array([len(tokenizer.find_surfaces(example.text)) for example in examples])
    longest = float(np.percentile(lengths, 99))
    max_tokens = min(512, max(32, 32 * math.ceil(longest / 32)))
    # GloVe has no letter of them, and all is learnt from these texts
    unspaced = sum(tokenizer.has_unspaced(example.text) for example in examples)
    few_and_long = (
        len(examples) < FEW_TEXTS
        and float(np.median(lengths)) >= LONG_TOKENS
        and unspaced <= len(examples) / 2
    )
    text: dict[str, Any] = {"max_tokens": max_tokens}
    if holds_mostly_numbers(example.text for example in examples):
        text["numbers"] = "own"
    batch_tokens = Optimization().batch_tokens
    # four fifths of the texts are trained on
    tokens = 0.8 * float(np.minimum(lengths, max_tokens).sum()) / share
    steps = max(1, math.ceil(tokens / batch_tokens))
    if share < 1.0:
        steps = min(steps, MAX_STEPS)
        return {
            "text": text,
            "optimization": {
                "steps": steps,
                "evaluate_every": max(1, steps // 20),
                "patience": 5,
                "warmup_steps": min(100, steps // 10),
            },
        }
    epochs = min(_MAX_EPOCHS, max(_MIN_EPOCHS, math.ceil(STEPS / steps)))
    chosen: dict[str, Any] = {
        "text": text,
        "optimization": {
            "epochs": epochs,
            "patience": max(2, epochs // 2),
            "warmup_steps": min(100, epochs * steps // 10),
        },
    }
    if few_and_long:
        chosen["words"] = {"learned_size": 0}
        chosen["network"] = {"hidden_size": 64, "pooling": "mean"}
        chosen["regularization"] = {
            "word_dropout": 0.4,
            "embedding_dropout": 0.3,
            "output_dropout": 0.5,
            "averaging": 0.995,
        }
    return chosen


def infer_polarity(labels: Sequence[str]) -> dict[str, float] | None:
    """The polarity of each label between -1 and 1, if all names of labels imply one; else None."""
    if not set(labels) <= set(_POLARITY):
        return None
    return {label: _POLARITY[label] for label in labels}


def collect_labels(examples: Sequence[Example], table: Columns) -> list[str]:
    """The labels of ``examples``, sorted; numbers by their value.

    Raises :class:`ConfigurationError` for fewer than two, and for too many to be labels.
    """
    found = {label for example in examples for label in example.labels}
    if len(found) < 2:
        raise ConfigurationError(
            f"column {table.label!r} holds {len(found)} labels in {len(examples):,} texts, at "
            "least two are needed; name another column for the label"
        )
    if len(found) > min(MAX_LABELS, len(examples) / 2):
        raise ConfigurationError(
            f"column {table.label!r} holds {len(found):,} different labels in "
            f"{len(examples):,} texts; "
            + (
                "name the column that holds the label, or write a configuration that lists them"
                if len(found) > MAX_LABELS
                else "give at least twice as many texts as labels, or name another column for the "
                "label"
            )
        )
    return sort_labels(found)


def _holds_lists(path: Path, table: Columns) -> bool:
    """Whether the first label in the file is a list."""
    values = (row[table.label] for _, row in files.read_rows(path, table))
    return isinstance(next((value for value in values if not is_missing(value)), None), list)


def _name_model(paths: Sequence[Path], patterns: Sequence[str]) -> str:
    """The name of a model, after the file or the folder of ``patterns``."""
    given = Path(patterns[0])
    source = given.resolve() if given.is_dir() else paths[0]
    name = next(
        (named.title(patterns[0]) for named in (hub, torchtext_sets) if named.is_name(patterns[0])),
        source.name,
    )
    stem = name.partition(".")[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:63].strip("-") or "mine"
