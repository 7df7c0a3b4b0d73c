"""``vader``: film reviews, product reviews, news editorials and tweets, each rated by people.

About 20 raters gave every sentence a number from -4 to 4. C.J. Hutto and E. Gilbert, *VADER: A
Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text*, ICWSM 2014.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import ftfy
from valence.training.corpora.archive import Package
from valence.training.corpora.example import Example

PACKAGE = Package(
    name="vaderSentiment",
    version="0.5",
    filename="vaderSentiment-0.5.zip",
    sha256="5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a",
    license="MIT",
)
LABELS = ("negative", "neutral", "positive")

_INNER = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
_FOLDER = "hutto_ICWSM_2014"
_PARTS = ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets", "tweets")
# a mean rating nearer to 0 than this is neutral
_NEUTRAL = 0.5


def read(archive: Path) -> Iterator[Example]:
    """The sentences in the order of the files, with repaired texts and with duplicates."""
    with zipfile.ZipFile(archive) as outer:
        inner = io.BytesIO(outer.read(_INNER))
    with tarfile.open(fileobj=inner, mode="r:gz") as tar:
        for part in _PARTS:
            # columns: id, mean, standard deviation, list of ratings
            ratings = {row[0]: row[3] for row in _rows(tar, f"{part}_anonDataRatings.txt")}
            # columns: id, mean, text
            for identity, mean, text in _rows(tar, f"{part}_GroundTruth.txt"):
                yield Example(
                    text=ftfy.fix_text(text).strip(),
                    label=label_of(float(mean)),
                    corpus="vader",
                    shares=shares_of(json.loads(ratings[identity])),
                )


def label_of(mean: float) -> str:
    """The class of a mean rating in [-4, 4]."""
    if mean < -_NEUTRAL:
        return "negative"
    return "positive" if mean > _NEUTRAL else "neutral"


def shares_of(ratings: Sequence[int]) -> dict[str, float]:
    """The share of raters below, at and above 0."""
    negative = sum(rating < 0 for rating in ratings)
    positive = sum(rating > 0 for rating in ratings)
    counts = (negative, len(ratings) - negative - positive, positive)
    return {label: count / len(ratings) for label, count in zip(LABELS, counts, strict=True)}


def _rows(tar: tarfile.TarFile, name: str) -> Iterator[list[str]]:
    file = tar.extractfile(f"{_FOLDER}/{name}")
    if file is None:
        raise FileNotFoundError(f"{_FOLDER}/{name} is not a file in {_INNER}")
    # the byte order mark some files begin with would become part of the first id
    for line in io.TextIOWrapper(file, encoding="utf-8-sig"):
        yield line.rstrip("\r\n").split("\t")
