"""Read the user's labelled texts: tables of every format that :mod:`valence.service.files` reads.

Or folders of plain texts that are named after their labels (:mod:`.folders`).

An error names the file, the line and the column. It never quotes a value of a row.
"""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from valence.service.classifier import seal
from valence.service.classifier.manifest import CorpusRecord
from valence.service.errors import ConfigurationError
from valence.service.files import encodings
from valence.service.files.encodings import Encoding
from valence.service.files.formats import (
    BINARY,
    READABLE,
    detect_format,
    has_table_name,
    require_format,
)
from valence.service.files.missing_values import is_missing, read_text
from valence.service.files.rows import Rows
from valence.training.config.columns import Columns
from valence.training.corpora import folders, hub, torchtext_sets
from valence.training.corpora.example import Example

# faulty rows that an error names, beside the first one, and how far they are looked for
_MAX_PLACES = 5
_MAX_ROWS_AHEAD = 100_000


def find_files(patterns: Sequence[str], cache: Path | None = None) -> tuple[Path, ...]:
    """The files that ``patterns`` name: files, folders (all they hold, at any depth), or globs.

    Or data sets of the Hub (:mod:`.hub`) or of torchtext (:mod:`.torchtext_sets`), which are
    fetched into ``cache``. A folder without such
    files that holds texts by label (:mod:`.folders`) stands for them. Relative ones start at the
    current directory. Each file comes once, those of a folder or a glob sorted. Raises
    :class:`ConfigurationError` where a pattern names none, or one of another format.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if cache is not None and hub.is_name(pattern):
            files = hub.fetch_files(pattern, cache)
        elif cache is not None and torchtext_sets.is_name(pattern):
            files = torchtext_sets.fetch_files(pattern, cache)
        elif path.is_dir():
            files = _list_tables(path)
        elif path.is_file():
            files = [path]
        else:
            matches = glob.glob(pattern, recursive=True)  # noqa: PTH207 - absolute patterns too
            files = sorted(map(Path, matches))
            files = [one for one in files if one.is_file()]
        if not files:
            raise ConfigurationError(
                f"{pattern}: no file of that name, and none of {', '.join(READABLE)} under it, nor "
                f"texts in folders named after labels (LABEL/*.txt); paths start at {Path.cwd()}"
            )
        for file in files:
            if file.is_file():
                require_format(file)
            found[file] = None
    return tuple(found)


def _list_tables(folder: Path) -> list[Path]:
    """The tables in ``folder``, or the folder if it holds texts by label, or other files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    tables = [path for path in files if has_table_name(path)]
    if not tables and folders.holds_labelled_texts(folder):
        return [folder]
    return tables or [path for path in files if detect_format(path)]


def name_files(paths: Sequence[Path]) -> tuple[str, ...]:
    """The name of each file in a model's record: its file name, or its path if two share a name.

    A client of a served model should not learn where a file is on the machine of the training.
    """
    own = [path.name or path.resolve().name for path in paths]
    several = Counter(own)
    return tuple(
        name if several[name] == 1 else path.as_posix()
        for name, path in zip(own, paths, strict=True)
    )


def sha256(path: Path) -> str:
    """The hash of a file, or of a folder of texts by label."""
    return folders.sha256(path) if path.is_dir() else seal.sha256(path)


def count_bytes(path: Path) -> int:
    """The size in bytes of a file, or of a folder of texts by label."""
    return folders.count_bytes(path) if path.is_dir() else path.stat().st_size


class ResolvedColumns(NamedTuple):
    """How a file is read, and its recognized encoding: None if the encoding was given."""

    table: Columns
    encoding: Encoding | None


def resolve_encoding(path: Path, table: Columns) -> ResolvedColumns:
    """``table`` with the encoding of the file at ``path``, recognized if it is "auto".

    For a folder, the encoding is that of its texts that are not UTF-8. Raises
    :class:`ConfigurationError` if the encoding is not recognized.
    """
    if table.encoding != encodings.AUTO:
        return ResolvedColumns(table, None)
    if path.is_dir():
        return ResolvedColumns(table, folders.guess_encoding(path))
    if detect_format(path) in BINARY:
        return ResolvedColumns(table, None)
    found = encodings.detect_file_encoding(path)
    return ResolvedColumns(replace(table, encoding=found.name), found)


def make_record(path: Path, name: str, encoding: Encoding | None) -> CorpusRecord:
    """The record of a file or folder that a model is trained on, before its texts are counted."""
    return CorpusRecord(
        name=name,
        source=path.name,
        sha256=sha256(path),
        texts=0,
        encoding=encoding.name if encoding else None,
        encoding_guessed=encoding is not None and encoding.guessed,
    )


def encoding_warning(record: CorpusRecord) -> str | None:
    """The warning for a file that was read in a guessed encoding; else None."""
    if record.encoding is None or not record.encoding_guessed:
        return None
    return Encoding(record.encoding, guessed=True).guess_warning(f"texts of {record.name} are")


def read_examples(
    path: Path, table: Columns, *, corpus: str, part: tuple[int, int] | None = None
) -> Iterator[Example]:
    """The rows of ``path`` in their order, duplicates and all; a row without text has an empty one.

    With ``part``, the rows that begin in these bytes of the file; see
    :class:`valence.service.files.rows.Rows`. Raises :class:`ConfigurationError`.
    """
    rows = read_rows(path, table, part=part)
    for place, row in rows:
        where = f"{path}, {place}"
        text = read_text(row[table.text])
        if text is None:
            kind = type(row[table.text]).__name__
            raise ConfigurationError(
                f"{where}: column {table.text!r} holds a {kind}, not a text; name another column "
                "for the text"
            )
        label = _label(row[table.label], table, where) if table.label else ""
        if table.label and label == "":
            others = _name_places(_find_unlabelled(islice(rows, _MAX_ROWS_AHEAD), table.label))
            raise ConfigurationError(
                f"{where}: column {table.label!r} is empty; give the text a label or remove the "
                f"row{others}"
            )
        yield Example(text, label, corpus, place=place)


def read_rows(
    path: Path, table: Columns, *, part: tuple[int, int] | None = None
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The place of each row in the file, and its values of the two columns."""
    if path.is_dir():
        for place, text, label in folders.read_texts(path, table.encoding):
            yield place, {table.text: text} | ({table.label: label} if table.label else {})
        return
    columns = (table.text, table.label) if table.label else (table.text,)
    form = "jsonl" if part else require_format(path)
    found = Rows(
        path, form, encoding=table.encoding, quoting=table.quoting, columns=columns, part=part
    )
    with closing(found):
        for row in found:
            if row.fault:
                ahead = islice(found, _MAX_ROWS_AHEAD)
                others = _name_places(row.place for row in ahead if row.fault)
                raise ConfigurationError(f"{path}, {row.place}: {row.fault}{others}")
            yield row.place, row.values


def _find_unlabelled(rows: Iterable[tuple[str, Mapping[str, Any]]], column: str) -> Iterator[str]:
    """The places of the rows without a label, up to a faulty row."""
    with suppress(ConfigurationError):
        for place, row in rows:
            value = row[column]
            if is_missing(value) or (isinstance(value, str) and not value.strip()):
                yield place


def _name_places(found: Iterable[str]) -> str:
    """The places of other faulty rows, for a message."""
    places = list(found)
    if not places:
        return ""
    named = ", ".join(places[:_MAX_PLACES])
    more = f" and {len(places) - _MAX_PLACES:,} more" if len(places) > _MAX_PLACES else ""
    return f" (faulty too: {named}{more})"


def _label(value: Any, table: Columns, place: str) -> str | tuple[str, ...]:
    if table.task == "multi_label":
        if isinstance(value, str):
            value = value.split(table.label_separator)
        elif not isinstance(value, list):
            value = [] if is_missing(value) else [value]
        return tuple(dict.fromkeys(name for item in value if (name := _name(item, table, place))))
    if isinstance(value, list | dict):
        raise ConfigurationError(
            f"{place}: column {table.label!r} holds a {type(value).__name__}, not one label; for "
            'several labels a text set task = "multi_label"'
        )
    return _name(value, table, place)


def _name(value: Any, table: Columns, place: str) -> str:
    """A label as text; 4.0 becomes 4, because an empty cell turns numbers into floats."""
    if is_missing(value):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise ConfigurationError(
        f"{place}: column {table.label!r} holds a {type(value).__name__}, which is no label; a "
        "label is a text or a number"
    )
