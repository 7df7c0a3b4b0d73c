"""Rows in and out of files: CSV, TSV, JSON lines and Parquet, gzipped or not."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple

from service.errors import ConfigurationError

FORMATS = ("csv", "tsv", "jsonl", "parquet")
_EXTENSIONS = {"ndjson": "jsonl", **{name: name for name in FORMATS}}
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_PARQUET_ROWS = 4_096


class Row(NamedTuple):
    """A row's values by column; ``fault`` says why it cannot be scored, if it cannot."""

    values: dict[str, Any]
    fault: str = ""


def format_of(path: Path, override: str | None = None) -> str:
    """The format of a file, by its extension."""
    name = path.name.removesuffix(".gz")
    found = override or _EXTENSIONS.get(name.rpartition(".")[2].lower())
    if found is None:
        raise ConfigurationError(
            f"{path}: the extension names none of {', '.join(FORMATS)}; say which it is"
        )
    if found == "parquet" and path.suffix == ".gz":
        raise ConfigurationError(f"{path}: Parquet compresses by itself; leave out .gz")
    return found


def read(path: Path, form: str, *, encoding: str) -> Generator[Row, None, None]:
    """The rows of a file, in order; raises :class:`ConfigurationError` at a byte not of it."""
    if form == "parquet":
        yield from _read_parquet(path)
        return
    with _opened(path) as stream:
        lines = _decoded(stream, path, encoding)
        yield from (_read_json(lines) if form == "jsonl" else _read_csv(lines, path, form))


def part(rows: Sequence[dict[str, Any]], columns: Sequence[str], form: str) -> bytes:
    """Rows as a piece of a file; raises :class:`ConfigurationError` for a column it lacks."""
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(
            "utf-8", "surrogatepass"
        )
    for row in rows:
        for name in row.keys() - set(columns):
            raise ConfigurationError(
                f"the column {name!r} is not in the first row, so it has no place in a table; "
                "write JSON lines (.jsonl)"
            )
    if form == "parquet":
        table = _pyarrow().table({name: [row.get(name) for row in rows] for name in columns})
        sink = io.BytesIO()
        _parquet().write_table(table, sink)
        return sink.getvalue()
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=_DELIMITERS[form], lineterminator="\n")
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def join(parts: Sequence[Path], out: Path, columns: Sequence[str], form: str, *, gz: bool) -> None:
    """One file of its parts: the same bytes for the same parts."""
    if form == "parquet":
        _join_parquet(parts, out)
        return
    with out.open("wb") as file:
        # no name and no time in the head of a gzip file, or no two would be alike
        sink: Any = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if gz else file
        if form in _DELIMITERS:
            head = dict(zip(columns, columns, strict=True))
            sink.write(part([head], columns, form))
        for piece in parts:
            sink.write(piece.read_bytes())
        if gz:
            sink.close()


def _opened(path: Path) -> IO[bytes]:
    return gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _decoded(stream: IO[bytes], path: Path, encoding: str) -> Iterator[str]:
    number = 0
    try:
        if encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig"):
            for number, line in enumerate(stream, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        else:
            # a line feed may be more than a byte there, so lines are cut after decoding
            with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
                for number, decoded in enumerate(text, 1):  # noqa: B007 - told in the error
                    yield decoded
    except UnicodeDecodeError as error:
        byte = f"the byte 0x{error.object[error.start]:02x} is not {error.encoding.upper()}"
        # which is decoded some lines ahead, but for UTF-8
        where = f"line {number}" if error.encoding.startswith("utf-8") else f"after line {number}"
        raise ConfigurationError(
            f"{path}, {where}: {byte}; say which encoding it is with --encoding, such as "
            "--encoding cp1252"
        ) from None
    except UnicodeError as error:
        raise ConfigurationError(f"{path}, after line {number}: {error}; see --encoding") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise ConfigurationError(
            f"{path}, after line {number}: not gzip, damaged or cut short; name a file that is not "
            "compressed without .gz, or copy it anew"
        ) from None


def _read_json(lines: Iterator[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            yield Row({}, f"line {number} is not JSON")
            continue
        if isinstance(values, dict):
            yield Row(values)
        else:
            yield Row({}, f"line {number} is no JSON object")


def _read_csv(lines: Iterator[str], path: Path, form: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=_DELIMITERS[form])
    try:
        head = next(reader, None)
        if not head:
            raise ConfigurationError(f"{path} has no head that names its columns")
        if len(set(head)) < len(head):
            raise ConfigurationError(f"{path}: a column's name is there twice; rename one")
        for cells in reader:
            if not cells:
                continue
            fault = ""
            if len(cells) != len(head):
                fault = f"line {reader.line_num}: {len(cells)} cells under {len(head)} columns"
            yield Row(dict(zip(head, cells, strict=False)), fault)
    except csv.Error as error:
        raise ConfigurationError(f"{path}, line {reader.line_num}: {error}") from None


def _read_parquet(path: Path) -> Iterator[Row]:
    for batch in _parquet().ParquetFile(path).iter_batches(_PARQUET_ROWS):
        yield from map(Row, batch.to_pylist())


def _join_parquet(parts: Sequence[Path], out: Path) -> None:
    arrow, parquet = _pyarrow(), _parquet()
    # a part may hold nothing but nulls in a column that has a type elsewhere
    schemas = [parquet.read_schema(piece) for piece in parts]
    schema = arrow.unify_schemas(schemas, promote_options="permissive")
    with parquet.ParquetWriter(out, schema) as writer:
        for piece in parts:
            writer.write_table(parquet.read_table(piece, memory_map=True).cast(schema))


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Parquet needs pyarrow, which is not installed: pip install 'valence[bulk]', or use "
            "CSV or JSON lines"
        ) from None
    module: ModuleType = pyarrow
    return module


def _parquet() -> ModuleType:
    _pyarrow()
    import pyarrow.parquet

    module: ModuleType = pyarrow.parquet
    return module
