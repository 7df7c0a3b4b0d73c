"""Score a file in parts, which survive an interruption, and join the parts at the end.

A part has a fixed number of rows. It is written beside the output and renamed when it is complete.
A run that finds parts of the same input, model and options skips their rows. A part does not depend
on the run that wrote it, so the output is the same with and without interruptions.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from valence.service.classifier.classifier import (
    Classifier,
    Prediction,
    Usage,
    WindowedText,
    require_finite,
)
from valence.service.classifier.result import UNCERTAIN
from valence.service.classifier.truncation import Truncation
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import ConfigurationError, NonFiniteAnswer, TextTooLong
from valence.service.files.compression import is_gzipped
from valence.service.files.encodings import AUTO
from valence.service.files.rows import Rows
from valence.service.files.table import Row
from valence.service.inference.engines.interface import Engine
from valence.service.score.parts import encode_part, join_parts

# windows per call of the engine
_BATCH = 256
_JOURNAL = "journal.json"
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Options:
    """The options of a run. Only a run with the same options resumes an interrupted run."""

    text_column: str
    in_format: str
    out_format: str
    encoding: str = AUTO
    truncation: Truncation = "head"
    top_k: int = 0
    min_confidence: float = 0.0
    prefix: str = ""
    part_rows: int = 4_096
    """Rows of a part: scoring them takes some tenths of a second."""
    part_characters: int = 4_000_000
    """A part with more characters ends earlier, since all its rows are in memory together."""


def read_engine_name(out: Path) -> str | None:
    """The engine of an interrupted run into ``out``; only this engine can resume the run."""
    journal = _parts_folder(out) / _JOURNAL
    if not journal.exists():
        return None
    engine: str = json.loads(journal.read_text(encoding="utf-8"))["engine"]
    return engine


def delete_parts(out: Path) -> None:
    """Delete the parts of an interrupted run into ``out``."""
    shutil.rmtree(_parts_folder(out), ignore_errors=True)


def _parts_folder(out: Path) -> Path:
    return out.with_name(out.name + ".parts")


def score_file(
    source: Path,
    out: Path,
    *,
    classifier: Classifier,
    engine: Engine,
    options: Options,
    advance: Callable[[int, float], None] = lambda _rows, _share: None,
) -> int:
    """Write the rows of ``source`` with their scores to ``out``; returns the number of rows.

    After each part the function calls ``advance`` with the number of rows and the share of the
    input done so far. Raises :class:`ConfigurationError` for files that cannot be read with
    ``options``, and if the folder of parts has parts of another input, model or options.
    """
    folder = _parts_folder(out)
    added = _added_columns(classifier, options.prefix)
    rows = Rows(source, options.in_format, encoding=options.encoding)
    _start_journal(folder, _identify(source, classifier, engine, options))
    parts: list[Path] = []
    columns: list[str] = []
    total = 0
    with closing(rows):
        while chunk := _take_part(rows, options):
            if not parts:
                columns = [*_input_columns(chunk, options, added, source), *added]
            path = folder / f"{len(parts):08d}"
            if not path.exists():
                scored = _score_rows(chunk, classifier, engine, options)
                _write_atomically(path, encode_part(scored, columns, options.out_format))
            parts.append(path)
            total += len(chunk)
            advance(total, rows.read / rows.size)
    if not parts:
        columns = added
        parts.append(folder / "00000000")
        _write_atomically(parts[0], encode_part([], columns, options.out_format))
    joined = folder / "joined"
    join_parts(parts, joined, columns, options.out_format, gz=is_gzipped(out))
    with joined.open("rb") as file:
        os.fsync(file.fileno())
    joined.replace(out)
    shutil.rmtree(folder)
    return total


def _take_part(rows: Iterable[Row], options: Options) -> list[Row]:
    """The rows of the next part; they do not depend on the run."""
    chosen = []
    characters = 0
    for row in islice(rows, options.part_rows):
        chosen.append(row)
        characters += row.size
        if characters > options.part_characters:
            break
    return chosen


def _identify(
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
        **asdict(options),
    }


def _start_journal(folder: Path, identity: dict[str, Any]) -> None:
    journal = folder / _JOURNAL
    if journal.exists():
        before = json.loads(journal.read_text(encoding="utf-8"))
        changed = [name for name in identity if before.get(name) != identity[name]]
        if changed:
            raise ConfigurationError(
                f"{folder} has parts of a run with another {', '.join(changed)}; repeat that run "
                "with its options, or start over with --fresh"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    _write_atomically(journal, json.dumps(identity, indent=1).encode())


def _write_atomically(path: Path, content: bytes) -> None:
    """Write the whole file or nothing, even if the machine stops meanwhile."""
    temporary = path.with_suffix(".writing")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _added_columns(classifier: Classifier, prefix: str) -> list[str]:
    names = ("label", *(f"probability_{label}" for label in classifier.manifest.labels))
    return [f"{prefix}{name}" for name in (*names, *Usage._fields, "truncated", "error")]


def _input_columns(
    rows: Sequence[Row], options: Options, added: Sequence[str], source: Path
) -> list[str]:
    """The columns of the input, from its first row without a fault."""
    columns = list(next((row.values for row in rows if not row.fault), rows[0].values))
    if options.text_column not in columns:
        raise ConfigurationError(
            f"{source} does not have the column {options.text_column!r}; it has "
            f"{', '.join(columns) or 'none'}; set the column with the texts by --text-column"
        )
    conflicts = [name for name in columns if name in added]
    if conflicts:
        raise ConfigurationError(
            f"{source} already has a column {conflicts[0]!r}; set a prefix for the added columns, "
            "such as --prefix predicted_"
        )
    return columns


def _score_rows(
    rows: Sequence[Row], classifier: Classifier, engine: Engine, options: Options
) -> list[dict[str, Any]]:
    results: dict[int, dict[str, Any]] = {}
    indices: list[int] = []
    texts: list[str] = []
    for index, row in enumerate(rows):
        text = row.values.get(options.text_column)
        if row.fault or not isinstance(text, str):
            fault = row.fault or f"column {options.text_column!r} does not have a text"
            results[index] = {"error": f"{row.place}: {fault}"}
        else:
            indices.append(index)
            texts.append(text)
    scored = _score_texts(texts, classifier, engine, options)
    results |= dict(zip(indices, scored, strict=True))
    names = _added_columns(classifier, "")
    return [
        row.values | {options.prefix + name: results[index].get(name) for name in names}
        for index, row in enumerate(rows)
    ]


def _score_texts(
    texts: Sequence[str], classifier: Classifier, engine: Engine, options: Options
) -> Iterator[dict[str, Any]]:
    encoded: list[WindowedText | TextTooLong] = []
    for text in texts:
        try:
            encoded.append(classifier.encode_windows(text, options.truncation))
        except TextTooLong as error:
            encoded.append(error)
    valid = [item for item in encoded if not isinstance(item, TextTooLong)]
    windows = [window for item in valid for window in item.windows]
    # windows of similar length in one batch, the longest first
    order = sorted(range(len(windows)), key=lambda index: -len(windows[index]))
    predictions: list[Prediction | NonFiniteAnswer | None] = [None] * len(windows)
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        answers = _predict([windows[index] for index in chosen], classifier, engine)
        for index, answer in zip(chosen, answers, strict=True):
            predictions[index] = answer
    left = iter(predictions)
    for item in encoded:
        if isinstance(item, TextTooLong):
            yield {"error": str(item)}
            continue
        of_text = list(islice(left, len(item.windows)))
        fault = next((one for one in of_text if isinstance(one, NonFiniteAnswer)), None)
        if fault is not None:
            yield {"error": str(fault)}
            continue
        complete = [one for one in of_text if isinstance(one, Prediction)]
        (merged,) = classifier.merge_windows([item], complete)
        yield _result_columns(merged, item.usage, classifier, options)


def _predict(
    windows: Sequence[WordIds], classifier: Classifier, engine: Engine
) -> list[Prediction | NonFiniteAnswer]:
    """A prediction for each window, or the fault of a window whose logits are not finite."""
    logits = engine.logits(windows)
    try:
        require_finite(logits)
    except NonFiniteAnswer as error:
        finite = [bool(np.isfinite(row).all()) for row in logits]
        predictions = iter(classifier.predict(logits[finite]))
        return [next(predictions) if sound else error for sound in finite]
    return list(classifier.predict(logits))


def _result_columns(
    prediction: Prediction, usage: Usage, classifier: Classifier, options: Options
) -> dict[str, Any]:
    probabilities = prediction.probabilities
    ranked = sorted(range(len(probabilities)), key=probabilities.__getitem__, reverse=True)
    shown = ranked[: options.top_k] if options.top_k else ranked
    certain = probabilities[ranked[0]] >= options.min_confidence
    labels = classifier.manifest.labels
    return {
        "label": prediction.label if certain else UNCERTAIN,
        **{f"probability_{labels[index]}": probabilities[index] for index in shown},
        **usage._asdict(),
        "truncated": usage.truncated,
    }
