"""Scores a file in parts that outlive an interruption, and joins them at the end.

A part is what a fixed number of rows became, written beside the output and renamed when it is
whole. A run that finds parts of the same input, model and options reads past their rows; since
every part is the same whoever wrote it, so is the output.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from valence.service.classifier.classifier import Classifier, Prediction, Reading, Usage
from valence.service.classifier.result import UNCERTAIN
from valence.service.classifier.truncation import Truncation
from valence.service.errors import ConfigurationError, TextTooLong
from valence.service.files.encodings import AUTO, zipped
from valence.service.files.tables import Row, Rows
from valence.service.inference.engines.interface import Engine
from valence.service.score.parts import join, part

# rows of a part: some tenths of a second's work
PART_ROWS = 4_096
# texts an engine is given at once
_BATCH = 256
_JOURNAL = "journal.json"
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Options:
    """What was asked for; a run goes on only with the very same."""

    text_column: str
    in_format: str
    out_format: str
    encoding: str = AUTO
    truncation: Truncation = "head"
    top_k: int = 0
    min_confidence: float = 0.0
    prefix: str = ""


def begun_with(out: Path) -> str | None:
    """The engine of an interrupted run into ``out``, which alone can go on with it."""
    journal = _work(out) / _JOURNAL
    if not journal.exists():
        return None
    engine: str = json.loads(journal.read_text(encoding="utf-8"))["engine"]
    return engine


def forget(out: Path) -> None:
    """Take an interrupted run into ``out`` away."""
    shutil.rmtree(_work(out), ignore_errors=True)


def _work(out: Path) -> Path:
    return out.with_name(out.name + ".parts")


def score(
    source: Path,
    out: Path,
    *,
    classifier: Classifier,
    engine: Engine,
    options: Options,
    advance: Callable[[int, float], None] = lambda _rows, _share: None,
) -> int:
    """Write ``source`` with the scores of its texts to ``out``; how many rows there were.

    ``advance`` is told, part after part, how many rows and which share of the input are done.
    Raises :class:`ConfigurationError` for files that cannot be read as said, and for parts of
    another input, model or options that are in the way.
    """
    work = _work(out)
    added = _added(classifier, options.prefix)
    rows = Rows(source, options.in_format, encoding=options.encoding)
    _begin(work, _identity(source, classifier, engine, options))
    parts: list[Path] = []
    columns: list[str] = []
    total = 0
    with closing(rows):
        while chunk := list(islice(rows, PART_ROWS)):
            if not parts:
                columns = [*_columns(chunk, options, added, source), *added]
            path = work / f"{len(parts):08d}"
            if not path.exists():
                scored = _score(chunk, classifier, engine, options)
                _write(path, part(scored, columns, options.out_format))
            parts.append(path)
            total += len(chunk)
            advance(total, rows.read / rows.size)
    if not parts:
        columns = added
        parts.append(work / "00000000")
        _write(parts[0], part([], columns, options.out_format))
    joined = work / "joined"
    join(parts, joined, columns, options.out_format, gz=zipped(out))
    with joined.open("rb") as file:
        os.fsync(file.fileno())
    joined.replace(out)
    shutil.rmtree(work)
    return total


def _identity(
    source: Path, classifier: Classifier, engine: Engine, options: Options
) -> dict[str, Any]:
    digest = hashlib.sha256()
    try:
        with source.open("rb") as file:
            while data := file.read(_READ_BYTES):
                digest.update(data)
    except OSError as error:
        raise ConfigurationError(f"{source}: {error.strerror}") from None
    manifest = classifier.manifest
    return {
        "input": digest.hexdigest(),
        "model": f"{manifest.name}:{manifest.version}",
        "engine": engine.name,
        "part_rows": PART_ROWS,
        **asdict(options),
    }


def _begin(work: Path, identity: dict[str, Any]) -> None:
    journal = work / _JOURNAL
    if journal.exists():
        before = json.loads(journal.read_text(encoding="utf-8"))
        other = [name for name in identity if before.get(name) != identity[name]]
        if other:
            raise ConfigurationError(
                f"{work} holds parts of a run with another {', '.join(other)}; run that again as "
                "it was, or start over with --fresh"
            )
        return
    work.mkdir(parents=True, exist_ok=True)
    _write(journal, json.dumps(identity, indent=1).encode())


def _write(path: Path, content: bytes) -> None:
    """The whole file or none of it, whenever the machine stops."""
    beside = path.with_suffix(".writing")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _added(classifier: Classifier, prefix: str) -> list[str]:
    names = ("label", *(f"probability_{label}" for label in classifier.manifest.labels))
    return [f"{prefix}{name}" for name in (*names, *Usage._fields, "truncated", "error")]


def _columns(
    rows: Sequence[Row], options: Options, added: Sequence[str], source: Path
) -> list[str]:
    """The columns of the input, as its first sound row has them."""
    columns = list(next((row.values for row in rows if not row.fault), rows[0].values))
    if options.text_column not in columns:
        raise ConfigurationError(
            f"{source} has no column {options.text_column!r}; it has {', '.join(columns) or 'none'}"
            "; name the one with the text by --text-column"
        )
    both = [name for name in columns if name in added]
    if both:
        raise ConfigurationError(
            f"{source} has a column {both[0]!r} already; give those that are added a --prefix, "
            "such as --prefix predicted_"
        )
    return columns


def _score(
    rows: Sequence[Row], classifier: Classifier, engine: Engine, options: Options
) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    places: list[int] = []
    texts: list[str] = []
    for place, row in enumerate(rows):
        text = row.values.get(options.text_column)
        if row.fault or not isinstance(text, str):
            fault = row.fault or f"column {options.text_column!r} holds no text"
            found[place] = {"error": f"{row.place}: {fault}"}
        else:
            places.append(place)
            texts.append(text)
    answers = _answers(texts, classifier, engine, options)
    found |= dict(zip(places, answers, strict=True))
    names = _added(classifier, "")
    return [
        row.values | {options.prefix + name: found[place].get(name) for name in names}
        for place, row in enumerate(rows)
    ]


def _answers(
    texts: Sequence[str], classifier: Classifier, engine: Engine, options: Options
) -> Iterator[dict[str, Any]]:
    readings: list[Reading | TextTooLong] = []
    for text in texts:
        try:
            readings.append(classifier.read(text, options.truncation))
        except TextTooLong as error:
            readings.append(error)
    documents = [
        window
        for reading in readings
        if not isinstance(reading, TextTooLong)
        for window in reading.windows
    ]
    # like lengths together: the longest first
    order = sorted(range(len(documents)), key=lambda place: -len(documents[place]))
    predictions: list[Prediction | None] = [None] * len(documents)
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        logits = engine.logits([documents[place] for place in chosen])
        for place, prediction in zip(chosen, classifier.predict(logits), strict=True):
            predictions[place] = prediction
    sound = [reading for reading in readings if not isinstance(reading, TextTooLong)]
    whole = [prediction for prediction in predictions if prediction is not None]
    combined = iter(classifier.combine(sound, whole))
    for reading in readings:
        if isinstance(reading, TextTooLong):
            yield {"error": str(reading)}
        else:
            yield _fields(next(combined), reading.usage, classifier, options)


def _fields(
    prediction: Prediction, usage: Usage, classifier: Classifier, options: Options
) -> dict[str, Any]:
    probabilities = prediction.probabilities
    ranked = sorted(range(len(probabilities)), key=probabilities.__getitem__, reverse=True)
    kept = ranked[: options.top_k] if options.top_k else ranked
    certain = probabilities[ranked[0]] >= options.min_confidence
    labels = classifier.manifest.labels
    return {
        "label": prediction.label if certain else UNCERTAIN,
        **{f"probability_{labels[place]}": probabilities[place] for place in kept},
        **usage._asdict(),
        "truncated": usage.truncated,
    }
