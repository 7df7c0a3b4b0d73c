"""Formats of tables, by the content of a file where that tells, else by its name."""

from __future__ import annotations

import re
import zipfile
from contextlib import suppress
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files import compression, encodings
from valence.service.files.compression import Damage

FORMATS = ("csv", "tsv", "jsonl", "parquet")
"""The formats that are read and written."""
READABLE = (*FORMATS, "xlsx", "fasttext")
BINARY = ("parquet", "xlsx")
"""The formats that are no text in an encoding."""
_EXTENSIONS = {
    **{f".{name}": name for name in FORMATS},
    ".tab": "tsv",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
# A folder of tables often has other JSON beside them, such as a description of the data.
_LOOSE_EXTENSIONS = (".json",)
_PARQUET_MARK = b"PAR1"
_WORKBOOK = "xl/workbook.xml"
_START_BYTES = 2**12
_FASTTEXT = re.compile(r"\s*__label__\S")
_JSON = re.compile(r'\s*(\[\s*)?\{\s*"')


def detect_format(path: Path) -> str | None:
    """The format of the file at ``path``; None if neither its content nor its name tells.

    A file that cannot be read has the format of its name.
    """
    named = _name_format(path.name)
    try:
        with path.open("rb") as file:
            mark = file.read(_START_BYTES)
        if mark.startswith(_PARQUET_MARK):
            return "parquet"
        packing = compression.name_packing(mark)
        if packing == "zip":
            with zipfile.ZipFile(path) as archive:
                if _WORKBOOK in archive.namelist():
                    return "xlsx"
                named = _name_format(compression.find_member(archive, path).filename) or named
        return _detect_text(path) or _exclude_binary(named, packed=packing is not None)
    except (OSError, Damage, ConfigurationError, zipfile.BadZipFile):
        return named


def has_table_name(path: Path) -> bool:
    """Whether the file at ``path`` is a table by its name, or is a ZIP archive of one."""
    if path.suffix.lower() == ".zip":
        return detect_format(path) is not None
    plain = _strip_packing(path.name)
    return plain.suffix.lower() not in _LOOSE_EXTENSIONS and _name_format(path.name) is not None


def require_format(path: Path, form: str | None = None) -> str:
    """``form``, or the format of a file to read; raises :class:`ConfigurationError` without both.

    A workbook and a Parquet file are recognized whatever ``form`` says.
    """
    found = detect_format(path)
    form = found if found in BINARY else form or found
    if form is None:
        _require_unpackable(path)
        raise ConfigurationError(
            f"{path}: the extension must be one of {', '.join(READABLE[:-1])}, json or ndjson; "
            f"{', '.join(compression.ENDINGS)} may follow, except after parquet and xlsx"
        )
    return form


def require_output_format(path: Path, form: str | None = None) -> str:
    """``form``, or the format by the name of a file to write.

    Raises :class:`ConfigurationError` for a name that tells no format that can be written.
    """
    plain = path.with_suffix("") if compression.is_gzipped(path) else path
    form = form or _EXTENSIONS.get(plain.suffix.lower())
    gzipped_parquet = form == "parquet" and compression.is_gzipped(path)
    if form not in FORMATS or plain.suffix.lower() in _LOOSE_EXTENSIONS or gzipped_parquet:
        raise ConfigurationError(
            f"{path}: the extension must be one of {', '.join(FORMATS)}; all except the last may "
            "have .gz after it"
        )
    return form


def is_packed(path: Path) -> bool:
    """Whether the texts in a file take more bytes than the file."""
    with path.open("rb") as file:
        mark = file.read(_START_BYTES)
    return compression.name_packing(mark) is not None or mark.startswith(_PARQUET_MARK)


def _require_unpackable(path: Path) -> None:
    """Raise :class:`ConfigurationError` for an archive of which no file can be read."""
    with suppress(OSError, Damage):
        file, _ = compression.open_unpacked(path)
        file.close()


def _name_format(name: str) -> str | None:
    return _EXTENSIONS.get(_strip_packing(name).suffix.lower())


def _strip_packing(name: str) -> Path:
    path = Path(name)
    return path.with_suffix("") if path.suffix.lower() in compression.ENDINGS else path


def _exclude_binary(form: str | None, *, packed: bool) -> str | None:
    """None for a format that cannot be read from a compressed file."""
    return None if packed and form in BINARY else form


def _detect_text(path: Path) -> str | None:
    """The format of a text that begins as only one format does."""
    file, stream = compression.open_unpacked(path)
    with file:
        start = stream.read(_START_BYTES)
    text = start.decode(encodings.detect_unicode(start) or "latin-1", "replace").lstrip("\ufeff")
    if _FASTTEXT.match(text):
        return "fasttext"
    return "jsonl" if _JSON.match(text) else None
