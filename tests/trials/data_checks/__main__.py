"""Plant faults in real data and count those that the data checks find.

The figures go into ``docs/measured/data-checks.md``.

``python -m tests.trials.data_checks``. Seeds are fixed here; wrong labels are planted in ``bbc``,
near-duplicates
in ``bbc`` and ``vader``.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from valence.service.classifier import tokenizer
from valence.training.checks.label_noise import find_suspects
from valence.training.corpora import catalog
from valence.training.corpora.example import Example
from valence.training.data.near_duplicates import find_near_duplicates

DOCUMENT = Path(__file__).parents[3] / "docs" / "measured" / "data-checks.md"
START, END = "<!-- measured: python -m tests.trials.data_checks -->", "<!-- end -->"
SEEDS = (0, 1, 2, 3, 4)
FLIPPED = 0.05
COPIES = 200
# in a tweet with fewer words one changed word is a large change
LEAST_WORDS = 12
# required results
LEAST_SUSPECTED, MOST_LISTED, LEAST_COPIES = 0.70, 0.10, 0.95

Edit = Callable[[str, random.Random], str]


def changed_word(text: str, chance: random.Random) -> str:
    """Replace one word by another."""
    words = text.split(" ")
    words[chance.randrange(len(words))] = chance.choice(("window", "seven", "gladly", "blue"))
    return " ".join(words)


def added_sentence(text: str, chance: random.Random) -> str:
    """Add a sentence at either end; it has a tenth of the text's words, but at least four."""
    spare = ("we", "will", "be", "back", "next", "week", "with", "more", "from", "our", "own")
    count = max(4, len(text.split()) // 10)
    sentence = " ".join(chance.choice(spare) for _ in range(count)).capitalize() + "."
    return chance.choice((f"{sentence} {text}", f"{text} {sentence}"))


def case(text: str, chance: random.Random) -> str:
    """Change the whole text to upper case or to lower case."""
    return chance.choice((text.upper(), text.lower()))


def punctuation(text: str, chance: random.Random) -> str:
    """Change or remove the punctuation."""
    return re.sub(r"[^\w\s]", chance.choice(("", " ", "!")), text) + chance.choice(
        ("...", "!!", "")
    )


EDITS: dict[str, Edit] = {
    "a changed word": changed_word,
    "an added sentence": added_sentence,
    "case": case,
    "punctuation": punctuation,
}


def wrong_labels(examples: Sequence[Example], seed: int) -> tuple[int, int, int]:
    """Return the numbers of planted wrong labels, of those among the suspects, and of suspects."""
    chance = np.random.default_rng(seed)
    labels = sorted({str(example.label) for example in examples})
    places = chance.choice(len(examples), size=round(FLIPPED * len(examples)), replace=False)
    given = list(examples)
    for place in places:
        others = [label for label in labels if label != given[place].label]
        given[place] = replace(given[place], label=str(chance.choice(others)))
    listed = {id(one.example) for one in find_suspects(given)}
    return len(places), sum(id(given[place]) in listed for place in places), len(listed)


def planted_copies(examples: Sequence[Example], edit: Edit, seed: int) -> tuple[int, int]:
    """Plant near-duplicates of one split in another; return the numbers of planted and
    found ones.
    """
    chance = random.Random(seed)
    long = [
        example.text
        for example in examples
        if len(tokenizer.find_surfaces(example.text)) >= LEAST_WORDS
    ]
    chosen = chance.sample(range(len(long)), k=COPIES)
    copies = [edit(long[place], chance) for place in chosen]
    found = find_near_duplicates(copies, long)[:COPIES]
    return COPIES, int((found >= 0).sum())


def main() -> int:
    """Measure and write the tables; return 1 if a result is below its requirement."""
    cache = Path(".valence/corpora")
    bbc, vader = (catalog.load_corpora([name], cache=cache).examples for name in ("bbc", "vader"))
    lines = [
        "| seed | planted | among the suspects | suspects | of all texts |",
        "|---|--:|--:|--:|--:|",
    ]
    good = True
    for seed in SEEDS:
        planted, found, listed = wrong_labels(bbc, seed)
        share, length = found / planted, listed / len(bbc)
        good &= share >= LEAST_SUSPECTED and length <= MOST_LISTED
        lines.append(f"| {seed} | {planted} | {found} ({share:.1%}) | {listed} | {length:.1%} |")
    lines += ["", "| near-copies planted | bbc | vader |", "|---|--:|--:|"]
    for name, edit in EDITS.items():
        row = []
        for examples in (bbc, vader):
            counts = np.sum([planted_copies(examples, edit, seed) for seed in SEEDS], axis=0)
            good &= counts[1] >= LEAST_COPIES * counts[0]
            row.append(f"{counts[1]} of {counts[0]} ({counts[1] / counts[0]:.1%})")
        lines.append(f"| {name} | {row[0]} | {row[1]} |")
    texts = [example.text for example in (*vader, *bbc)]
    started = time.process_time()
    find_near_duplicates(texts[::2], texts[1::2])
    seconds = time.process_time() - started
    lines += ["", f"{len(texts):,} texts are compared in {seconds:.1f} s on one core."]
    said = "\n".join(lines)
    document = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = document.partition(START)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{START}\n\n{said}\n\n{END}{after}", encoding="utf-8")
    sys.stdout.write(f"{said}\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
