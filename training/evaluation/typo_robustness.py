"""Robustness to typing errors: held-out texts are evaluated with a typo in every tenth word.

The typos follow D. Pruthi, B. Dhingra and Z. Lipton: *Combating Adversarial SpellingIndex with
Robust Word Recognition*, ACL 2019. A letter is dropped, doubled, swapped, or replaced by the letter
of a neighbouring key.
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
_MIN_LETTERS = 4
# plain words, without links, @names, #hashtags and contractions
_WORD = re.compile(r"""(?<![^\s"'(\[])[A-Za-z]+(?=[,;:!?"')\]]*\.*(?:\s|\Z))""")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


class TypoCost(BaseModel):
    """Macro-F1 on dev texts without and with typos; with typos, the mean of :data:`DRAWS` draws.

    ``unknown`` and ``unknown_with_typos`` are the shares of tokens outside of the vocabulary.
    """

    model_config = ConfigDict(frozen=True)

    texts: int
    macro_f1: float
    with_typos: float
    unknown: float
    unknown_with_typos: float

    @property
    def points(self) -> float:
        """The loss by typos, in points of macro-F1."""
        return 100 * (self.macro_f1 - self.with_typos)


def add_typos(text: str, chance: random.Random) -> str:
    """``text`` with typos; their number is a tenth of the number of words.

    Only words of four letters or more get a typo. The fraction of a typo is drawn, so that over
    many texts a tenth of the words gets a typo, whatever the length of the texts.
    """
    words = list(_WORD.finditer(text))
    long = [word for word in words if len(word[0]) >= _MIN_LETTERS]
    count = min(int(len(words) * SHARE + chance.random()), len(long))
    for word in sorted(chance.sample(long, count), key=re.Match.start, reverse=True):
        text = text[: word.start()] + add_typo(word[0], chance) + text[word.end() :]
    return text


def add_typo(word: str, chance: random.Random) -> str:
    """``word``, of Latin letters, with one letter dropped, doubled, swapped or mistyped."""
    index = chance.randrange(len(word))
    before, letter, after = word[:index], word[index], word[index + 1 :]
    match chance.choice(("drop", "double", "swap", "mishit")):
        case "double":
            return before + letter + letter + after
        case "swap" if after:
            return before + after[0] + letter + after[1:]
        case "mishit":
            hit = chance.choice(_neighbouring_keys(letter.lower()))
            return before + (hit.upper() if letter.isupper() else hit) + after
        case _:
            return before + after


def _neighbouring_keys(letter: str) -> str:
    """The letters on the keys to the left and to the right."""
    row = next(row for row in _ROWS if letter in row)
    index = row.index(letter)
    return row[max(0, index - 1) : index] + row[index + 1 : index + 2]


def measure_stored_model(tag: str, *, engine: str, run: Run) -> TypoCost:
    """The cost of typos for a stored model on its dev texts."""
    classifier, model_engine = stored_model.load_stored_model(tag, engine)
    dev = stored_model.load_own_splits(classifier, run).dev
    scores, unknown = [], []
    for draw in range(DRAWS + 1):
        chance = random.Random(draw)  # noqa: S311 - nothing secret
        examples = [
            dataclasses.replace(example, text=add_typos(example.text, chance)) if draw else example
            for example in dev
        ]
        _, evaluation = stored_model.evaluate_examples(
            classifier, model_engine, examples, run.reporter
        )
        scores.append(evaluation.macro_f1)
        usages = [classifier.encode_head(example.text).usage for example in examples]
        tokens = sum(usage.tokens_used for usage in usages)
        unknown.append(sum(usage.unknown_tokens for usage in usages) / max(1, tokens))
    return TypoCost(
        texts=len(dev),
        macro_f1=scores[0],
        with_typos=float(np.mean(scores[1:])),
        unknown=unknown[0],
        unknown_with_typos=float(np.mean(unknown[1:])),
    )
