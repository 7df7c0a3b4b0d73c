"""Made reviews of cafés for the notebooks, so that they need no download and no one's texts."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path

_THINGS = {
    "cafe": ("coffee", "cake", "breakfast", "service", "terrace", "music", "waiter", "soup"),
    "phone": ("screen", "battery", "camera", "charger", "case", "keyboard", "speaker", "modem"),
}
_WORDS = {
    "positive": ("wonderful", "excellent", "lovely", "perfect", "delicious", "a joy", "superb"),
    "neutral": ("average", "as expected", "ordinary", "acceptable", "neither good nor bad"),
    "negative": ("awful", "terrible", "a disappointment", "dreadful", "bland", "broken", "rude"),
}
_OPENINGS = (
    *("On Monday", "After work", "With my family", "On our last visit", "In the rain"),
    *("For the third time", "Last summer", "At noon", "By chance", "On my birthday"),
)
_ENDINGS = (
    *("we paid ten euros", "a friend came along", "it took half an hour", "we sat outside"),
    *("I would tell my brother", "the place was full", "we had a table by the door"),
    *("my son drew a picture", "the bus was late", "they close at six"),
)


def make_reviews(count: int, *, about: str = "cafe", seed: int = 0) -> Iterator[tuple[str, str]]:
    """``count`` reviews with their labels; one label of fifty is wrong, as with people."""
    generator = random.Random(seed)
    labels = sorted(_WORDS)
    for _ in range(count):
        label = generator.choice(labels)
        first, second = generator.sample(_THINGS[about], 2)
        words = generator.choices(_WORDS[label], k=2)
        text = (
            f"{generator.choice(_OPENINGS)} the {first} was {words[0]} and the {second} was "
            f"{words[1]}, {generator.choice(_ENDINGS)}."
        )
        yield text, generator.choice(labels) if generator.random() < 0.03 else label


def write_reviews(path: str | Path, count: int, *, about: str = "cafe", seed: int = 0) -> None:
    """Write a CSV file with the columns ``review`` and ``label``."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("review", "label"))
        writer.writerows(make_reviews(count, about=about, seed=seed))
