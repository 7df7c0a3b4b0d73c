"""Data sets of torchtext, by name: ``torchtext:trec`` and ``torchtext:imdb``.

The train texts become a file of JSON lines, which is read like any such file; test texts are not
read. torchtext fetches the data sets over plain HTTP and verifies nothing. So archives that would
write outside their folder are refused here, and the labels are checked. torchtext's SST is left
out: it needs another package for trees, and the Hub has it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import write_file

PREFIX = "torchtext:"
LABELS: Mapping[str, frozenset[str]] = {
    "trec": frozenset({"ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"}),
    "imdb": frozenset({"neg", "pos"}),
}


def is_name(pattern: str) -> bool:
    """Whether ``pattern`` names a data set of torchtext, not a file."""
    return pattern.startswith(PREFIX)


def title(pattern: str) -> str:
    """The name of the data set."""
    return pattern.removeprefix(PREFIX)


def fetch_files(pattern: str, cache: Path) -> list[Path]:
    """The train texts of the data set in ``cache``, fetched if they are not there.

    Raises :class:`ConfigurationError` for a name that is unknown, and where it cannot be had.
    """
    name = title(pattern)
    if name not in LABELS:
        raise ConfigurationError(
            f"{pattern}: known are {', '.join(PREFIX + one for one in LABELS)}"
        )
    folder = cache / "torchtext"
    path = folder / f"{name}-train.jsonl"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            rows = _rows(name, folder)
        except (OSError, ValueError, tarfile.TarError) as error:
            # A half-fetched data set would be taken for the whole.
            shutil.rmtree(folder / name, ignore_errors=True)
            raise ConfigurationError(
                f"{pattern}: it cannot be fetched: {type(error).__name__}: {str(error)[:200]}; "
                "look whether its server can be reached, or name files of your own"
            ) from None
        lines = (json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
        write_file(path, "".join(lines))
    return [path]


def _rows(name: str, folder: Path) -> list[tuple[str, str]]:
    """Texts and labels, sorted: the order of torchtext is that of the folder's listing."""
    from torchtext import data, datasets  # it imports torch

    sets: Mapping[str, Any] = {"trec": datasets.TREC, "imdb": datasets.IMDB}
    fields = [data.Field(sequential=False, use_vocab=False) for _ in range(2)]
    with _within_its_folder(), redirect_stdout(sys.stderr):
        (train,) = sets[name].splits(*fields, root=str(folder), test=None)
    rows = sorted((example.text.strip(), example.label) for example in train)
    if {label for _, label in rows} != LABELS[name]:
        raise ValueError("other labels than those of the data set")
    return rows


@contextmanager
def _within_its_folder() -> Iterator[None]:
    """Refuse archives that name devices, or files outside their folder (PEP 706)."""
    if not hasattr(tarfile, "data_filter"):
        raise ValueError("Python before 3.11.4 unpacks whatever it is told")
    before = tarfile.TarFile.extraction_filter
    tarfile.TarFile.extraction_filter = staticmethod(tarfile.data_filter)
    try:
        yield
    finally:
        tarfile.TarFile.extraction_filter = before
