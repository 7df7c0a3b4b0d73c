"""``facts``: sentences that state a fact, from a package that shows one at random; all neutral.

Nobody rated their sentiment, so they are training texts alone: no dev or test text is one of them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import ftfy
from valence.training.corpora.archive import Package
from valence.training.corpora.example import Example

PACKAGE = Package(
    name="randfacts",
    version="0.24.4",
    filename="randfacts-0.24.4-py3-none-any.whl",
    sha256="beb07c7b61352f86410aa178be0a3e6b031a454e9df90e5487fb10f7ad21ddbb",
    license="MIT",
)
LABELS = ("neutral",)

_MEMBER = "randfacts/safe.txt"


def read(archive: Path) -> Iterator[Example]:
    """The sentences in the order of the file, with repaired texts and with duplicates."""
    with zipfile.ZipFile(archive) as wheel:
        lines = wheel.read(_MEMBER).decode("utf-8").splitlines()
    for line in lines:
        yield Example(ftfy.fix_text(line).strip(), "neutral", "facts")
