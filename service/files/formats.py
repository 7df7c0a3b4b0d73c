"""Formats of tables by the extensions of files."""

from __future__ import annotations

from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files.encodings import is_gzipped

FORMATS = ("csv", "tsv", "jsonl", "parquet")
_EXTENSIONS = {".ndjson": "jsonl", **{f".{name}": name for name in FORMATS}}


def detect_format(path: Path) -> str | None:
    """The format by the extension of a file; None if unknown, and for Parquet in gzip."""
    plain = path.with_suffix("") if is_gzipped(path) else path
    form = _EXTENSIONS.get(plain.suffix.lower())
    return None if form == "parquet" and is_gzipped(path) else form


def require_format(path: Path, form: str | None = None) -> str:
    """``form``, or the format by the extension; raises :class:`ConfigurationError` without both."""
    form = form or detect_format(path)
    if form is None:
        raise ConfigurationError(
            f"{path}: the extension must be one of {', '.join(FORMATS)}; all except the last may "
            "have .gz after it"
        )
    return form
