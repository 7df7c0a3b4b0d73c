"""What typing errors cost a classifier: a slip of the keys in every tenth word of held-out texts.

As in D. Pruthi, B. Dhingra and Z. Lipton: *Combating Adversarial Misspellings with Robust Word
Recognition*, ACL 2019: letters dropped, added, swapped, or hit on a neighbouring key.
"""

from __future__ import annotations

import dataclasses
import random
import re

import numpy as np
from pydantic import BaseModel, ConfigDict
from valence.training.evaluation import stored_model
from valence.training.runtime.run import Run

SHARE = 0.1
DRAWS = 3
_SHORTEST = 4
# whole words: no links, @names, #hashtags and contractions
_WORD = re.compile(r"""(?<![^\s"'(\[])[A-Za-z]+(?=[,;:!?"')\]]*\.*(?:\s|\Z))""")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


class Cost(BaseModel):
    """Macro-F1 on dev texts as they are, and with typing errors, the mean of :data:`DRAWS` draws.

    ``unknown`` are the shares of tokens that are not in the vocabulary.
    """

    model_config = ConfigDict(frozen=True)

    texts: int
    macro_f1: float
    with_typos: float
    unknown: float
    unknown_with_typos: float

    @property
    def points(self) -> float:
        """What the errors cost, in points of macro-F1."""
        return 100 * (self.macro_f1 - self.with_typos)


def with_typos(text: str, chance: random.Random) -> str:
    """``text`` with a slip of the keys in a tenth as many words as it has.

    They fall into words of four letters and more. A remainder is drawn, so that a tenth of the
    words of many texts is hit, whatever their length.
    """
    words = list(_WORD.finditer(text))
    long = [word for word in words if len(word[0]) >= _SHORTEST]
    count = min(int(len(words) * SHARE + chance.random()), len(long))
    for word in sorted(chance.sample(long, count), key=re.Match.start, reverse=True):
        text = text[: word.start()] + slip(word[0], chance) + text[word.end() :]
    return text


def slip(word: str, chance: random.Random) -> str:
    """``word``, of Latin letters, with one dropped, doubled, swapped with the next, or mishit."""
    at = chance.randrange(len(word))
    before, letter, after = word[:at], word[at], word[at + 1 :]
    match chance.choice(("drop", "double", "swap", "mishit")):
        case "double":
            return before + letter + letter + after
        case "swap" if after:
            return before + after[0] + letter + after[1:]
        case "mishit":
            hit = chance.choice(_beside(letter.lower()))
            return before + (hit.upper() if letter.isupper() else hit) + after
        case _:
            return before + after


def _beside(letter: str) -> str:
    """The keys to the left and right of a letter's."""
    row = next(row for row in _ROWS if letter in row)
    at = row.index(letter)
    return row[max(0, at - 1) : at] + row[at + 1 : at + 2]


def measure_stored(tag: str, *, engine: str, run: Run) -> Cost:
    """What typing errors cost a model of the store on its dev texts."""
    classifier, computes = stored_model.load(tag, engine)
    dev = stored_model.held_out(classifier, run).dev
    scores, unknown = [], []
    for draw in range(DRAWS + 1):
        chance = random.Random(draw)  # noqa: S311 - nothing secret
        examples = [
            dataclasses.replace(example, text=with_typos(example.text, chance)) if draw else example
            for example in dev
        ]
        _, found = stored_model.answer(classifier, computes, examples, run.reporter)
        scores.append(found.macro_f1)
        usages = [classifier.encode_head(example.text).usage for example in examples]
        tokens = sum(usage.tokens_used for usage in usages)
        unknown.append(sum(usage.unknown_tokens for usage in usages) / max(1, tokens))
    return Cost(
        texts=len(dev),
        macro_f1=scores[0],
        with_typos=float(np.mean(scores[1:])),
        unknown=unknown[0],
        unknown_with_typos=float(np.mean(unknown[1:])),
    )
