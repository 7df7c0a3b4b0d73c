"""Source code as text for a character model: the Python files of a published package."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from valence.training.corpora.archive import Package
from valence.training.corpora.example import Example

# a label of documents, as the topics of a corpus are
LABEL = "code"

PACKAGES: Mapping[str, Package] = {
    # written by a formatter: strings have double quotes, lines have at most 88 characters
    "django": Package(
        name="Django",
        version="5.2.19",
        filename="django-5.2.19-py3-none-any.whl",
        sha256="5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00",
        license="BSD-3-Clause",
    ),
}
# tables of dates and numbers by language, and files that a program wrote
_LEFT_OUT = ("/locale/", "/migrations/")
# shorter files are lists of imports
_SHORTEST = 1_000


def read(archive: Path) -> Iterator[Example]:
    """The Python files of a wheel that people wrote, by name."""
    with zipfile.ZipFile(archive) as wheel:
        for name in sorted(wheel.namelist()):
            if name.endswith(".py") and not any(part in name for part in _LEFT_OUT):
                text = wheel.read(name).decode("utf-8").strip()
                if len(text) >= _SHORTEST:
                    yield Example(text=text, label=LABEL, corpus="", place=name)
