"""Anyone's own labelled texts: CSV, TSV, JSON Lines (all gzipped or not) and Parquet files.

Rows are read as they are, one at a time. What cannot be used is refused with its file, line and
column; of a row's values only the label is ever named, never the text.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import glob
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from service.classifier.manifest import Task
from service.errors import ConfigurationError
from training.corpora.example import Example

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
# what a field may hold: beyond it a quotation mark has most likely been left open
_LARGEST_FIELD = 10_000_000
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Table:
    """Which columns of the files to read, and how."""

    text: str
    label: str
    encoding: str = "utf-8"
    task: Task = "single_label"
    label_separator: str = "|"


def find(patterns: Sequence[str]) -> tuple[Path, ...]:
    """The files that ``patterns`` name: files, folders (all they hold, at any depth), or globs.

    Relative ones start at the current directory. Each file comes once, those of a folder or a glob
    sorted. Raises :class:`ConfigurationError` where a pattern names none, or one of another format.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            files = sorted(one for one in path.rglob("*") if one.is_file() and format_of(one))
        elif path.is_file():
            files = [path]
        else:
            files = sorted(Path(one) for one in glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns too
            files = [one for one in files if one.is_file()]
        if not files:
            raise ConfigurationError(
                f"{pattern}: no file of that name, and none of {', '.join(SUFFIXES)} under it; "
                f"paths start at {Path.cwd()}"
            )
        for file in files:
            if not format_of(file):
                raise ConfigurationError(
                    f"{file}: not a format that is read; there are {', '.join(SUFFIXES)}, and "
                    "all but the last with .gz"
                )
            found[file] = None
    return tuple(found)


def names(paths: Sequence[Path]) -> tuple[str, ...]:
    """What each file is called in a model's record: its name, or its path where two share a name.

    Where on a machine a file lay is nobody's business who asks a served model.
    """
    several = Counter(path.name for path in paths)
    return tuple(path.name if several[path.name] == 1 else path.as_posix() for path in paths)


def read(path: Path, table: Table, *, corpus: str) -> Iterator[Example]:
    """The rows of ``path`` in their order, duplicates and all; a row without text has an empty one.

    Raises :class:`ConfigurationError`.
    """
    for place, row in rows(path, table):
        text = row[table.text]
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise ConfigurationError(
                f"{place}: column {table.text!r} holds a {type(text).__name__}, not a text; name "
                "another column for the text"
            )
        yield Example(text, _label(row[table.label], table, place), corpus)


def rows(path: Path, table: Table) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each row is, as errors say it, and its values of the two columns."""
    kind = format_of(path)
    if kind == ".parquet":
        yield from _parquet(path, table)
        return
    # a byte order mark is no part of the first column's name
    encoding = "utf-8-sig" if table.encoding.lower() in ("utf-8", "utf8") else table.encoding
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ConfigurationError(
            f"{path}: no encoding is called {encoding!r}; utf-8, cp1252 and utf-16 are common"
        ) from None
    try:
        with _open(path, encoding) as file:
            if kind in (".csv", ".tsv"):
                yield from _delimited(path, file, table, "," if kind == ".csv" else "\t")
            else:
                yield from _json_lines(path, file, table)
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{_undecodable(path, encoding)}: not {table.encoding}; say which encoding it is, for "
            'example encoding = "cp1252"'
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None


def format_of(path: Path) -> str | None:
    """Which of :data:`SUFFIXES` the file has, ``.gz`` aside; None if it is not read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"] and suffixes[-2:-1] != [".parquet"]:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in SUFFIXES else None


def _open(path: Path, encoding: str) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def _undecodable(path: Path, encoding: str) -> str:
    """The file and line of the first bytes that are not ``encoding``."""
    content = path.read_bytes()
    if path.suffix.lower() == ".gz":
        content = gzip.decompress(content)
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        good = content[: error.start].decode(encoding, "replace")
        return f"{path}, line {good.count(chr(10)) + 1}"
    return str(path)


def _delimited(
    path: Path, file: IO[str], table: Table, delimiter: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    csv.field_size_limit(_LARGEST_FIELD)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        places = {name: header.index(name) for name in _columns(header, table, f"{path}, line 1")}
        line = reader.line_num + 1  # a row may span lines: where it begins
        for values in reader:
            place = f"{path}, line {line}"
            line = reader.line_num + 1
            if not values:
                continue
            if len(values) != len(header):
                raise ConfigurationError(
                    f"{place}: {len(values)} fields, the header names {len(header)}; quote a field "
                    f"that holds {delimiter!r} or a line break"
                )
            yield place, {name: values[index] for name, index in places.items()}
    except csv.Error as error:
        raise ConfigurationError(
            f"{path}, line {reader.line_num}: {error}; look for a quotation mark that is not "
            "doubled or never closed"
        ) from None


def _json_lines(path: Path, file: IO[str], table: Table) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            said = error.msg if isinstance(error, json.JSONDecodeError) else "not readable"
            raise ConfigurationError(
                f"{place}: not JSON ({said}); a line holds one object"
            ) from None
        if not isinstance(row, dict):
            raise ConfigurationError(f"{place}: a {type(row).__name__}, not an object")
        yield place, {name: row[name] for name in _columns(list(row), table, place)}


def _parquet(path: Path, table: Table) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            columns = _columns(file.schema_arrow.names, table, str(path))
            number = 0
            for batch in file.iter_batches(columns=list(columns)):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row
    except (OSError, pyarrow.ArrowException) as error:
        raise ConfigurationError(f"{path}: not a Parquet file that can be read: {error}") from None


def _columns(names: Sequence[str], table: Table, place: str) -> tuple[str, ...]:
    """The two columns asked for, if there are such, each once."""
    for wanted, setting in ((table.text, "text"), (table.label, "label")):
        if names.count(wanted) == 1:
            continue
        if wanted in names:
            raise ConfigurationError(f"{place}: column {wanted!r} is there twice; rename one")
        near = difflib.get_close_matches(wanted, names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        known = ", ".join(_shown(name) for name in names[:20]) or "none"
        raise ConfigurationError(
            f"{place}: no column {wanted!r} for the {setting}; {hint}columns: {known}"
        )
    return tuple(dict.fromkeys((table.text, table.label)))


def _label(value: Any, table: Table, place: str) -> str | tuple[str, ...]:
    if table.task == "multi_label":
        if isinstance(value, str):
            value = value.split(table.label_separator)
        elif not isinstance(value, list):
            value = [] if value is None else [value]
        return tuple(dict.fromkeys(name for one in value if (name := _name(one, table, place))))
    if isinstance(value, list | dict):
        raise ConfigurationError(
            f"{place}: column {table.label!r} holds {_shown(value)}, not one label; for several "
            'labels a text set task = "multi_label"'
        )
    name = _name(value, table, place)
    if not name:
        raise ConfigurationError(
            f"{place}: column {table.label!r} is empty; give the text a label or remove the row"
        )
    return name


def _name(value: Any, table: Table, place: str) -> str:
    """A label as text: numbers as they are written, 4.0 as 4, since a gap makes numbers floats."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise ConfigurationError(
        f"{place}: column {table.label!r} holds {_shown(value)}, which is no label; a label is a "
        "text or a number"
    )


def _shown(value: Any) -> str:
    whole = repr(value)
    return whole if len(whole) <= _LONGEST_SHOWN else f"{whole[:_LONGEST_SHOWN]}…"
