"""Data sets of the Hugging Face Hub, by name: ``hf:NAME`` or ``hf:NAME:CONFIG``.

Each split becomes a Parquet file and is read like any Parquet file. The package ``datasets``
fetches the data sets; since version 4 it runs no code of theirs. It keeps what it has fetched.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import replace_file
from valence.service.files.parquet import import_pyarrow

if TYPE_CHECKING:
    from datasets import Dataset

PREFIX = "hf:"
EXTRA = "valence[hub]"
_ROWS = 4_096


def is_name(pattern: str) -> bool:
    """Whether ``pattern`` names a data set of the Hub, not a file."""
    return pattern.startswith(PREFIX)


def title(pattern: str) -> str:
    """The name of the data set without its owner."""
    return pattern.removeprefix(PREFIX).partition(":")[0].rstrip("/").rpartition("/")[2]


def fetch_files(pattern: str, cache: Path) -> list[Path]:
    """The splits of the data set in ``cache``, fetched if they are not there or have changed.

    Numbers of a class become its name, and texts without a class are left out. Raises
    :class:`ConfigurationError` without the package, and where the data set cannot be had.
    """
    name, _, configuration = pattern.removeprefix(PREFIX).partition(":")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import datasets
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"{pattern}: data sets of the Hugging Face Hub need another package: "
            f"pip install '{EXTRA}'"
        ) from None
    datasets.disable_progress_bars()
    folder = cache / "hub"
    try:
        # The Hub raises errors of many classes, some of them of the HTTP client in use.
        found = datasets.load_dataset(
            name, configuration or None, cache_dir=str(folder / "fetched")
        )
    except Exception as error:
        said = (str(error).splitlines() or [""])[0][:300]
        raise ConfigurationError(
            f"{pattern}: it cannot be fetched: {type(error).__name__}: {said}; look for the name "
            "on huggingface.co/datasets (HF_TOKEN for one that is not public), and whether it can "
            "be reached from here, or download it elsewhere and name its files"
        ) from None
    paths = []
    for split, rows in found.items():
        # Another version of the data has another file; a file is written once.
        version = hashlib.sha256(f"{pattern} {rows._fingerprint}".encode()).hexdigest()[:12]
        path = folder / version / f"{_slug(title(pattern))}-{_slug(str(split))}.parquet"
        if not path.is_file():
            _write(rows, path)
        paths.append(path)
    return paths


def _write(rows: Dataset, path: Path) -> None:
    """Write the file completely or not at all."""
    pyarrow = import_pyarrow()
    schema = pyarrow.schema([(name, _type(rows.features[name])) for name in _columns(rows)])
    with (
        replace_file(path) as unfinished,
        pyarrow.parquet.ParquetWriter(unfinished, schema) as writer,
    ):
        for part in _named(rows):
            writer.write_table(pyarrow.Table.from_pylist(part, schema=schema))


def _named(rows: Dataset) -> Iterator[list[dict[str, Any]]]:
    columns = _columns(rows)
    found = {name: getattr(_inner(rows.features[name]), "names", None) for name in columns}
    classes = {name: names for name, names in found.items() if names is not None}
    for part in rows.select_columns(columns).iter(batch_size=_ROWS):
        for name, names in classes.items():
            part[name] = [_class(value, names) for value in part[name]]
        table = (
            dict(zip(columns, row, strict=True))
            for row in zip(*map(part.get, columns), strict=True)
        )
        # Texts of tests with secret labels have the label -1.
        yield [row for row in table if all(row[name] is not None for name in classes)]


def _class(value: Any, classes: list[str]) -> Any:
    if isinstance(value, list):
        return [classes[one] for one in value if one >= 0]
    return classes[value] if value is not None and value >= 0 else None


def _columns(rows: Dataset) -> list[str]:
    """The columns of texts, numbers, classes, or lists of these."""
    from datasets import ClassLabel, Value

    found = rows.features.items()
    return [name for name, feature in found if isinstance(_inner(feature), ClassLabel | Value)]


def _inner(feature: Any) -> Any:
    return getattr(feature, "feature", feature)


def _type(feature: Any) -> Any:
    pyarrow = import_pyarrow()
    inner = _inner(feature)
    one = pyarrow.string() if hasattr(inner, "names") else inner.pa_type
    return one if inner is feature else pyarrow.list_(one)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "data"
