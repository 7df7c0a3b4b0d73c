"""Ratings in stars, points and fractions: how much of the most is a rating?"""

from __future__ import annotations

import random
from collections.abc import Iterator

from valence.training.behaviour.grammar import capitalize
from valence.training.counterfactuals.contrast import PLAIN_NEGATIVE, PLAIN_POSITIVE
from valence.training.counterfactuals.experience_words import TABLES
from valence.training.counterfactuals.sides import Counterfactual, Shares

_MIDDLE: Shares = (0.15, 0.7, 0.15)
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_OF_FIVE = (
    *(
        "{n} stars",
        "{n} stars!",
        "{n} stars from me",
        "I give it {n} stars",
        "{n} stars for the {x}",
    ),
    *("{n}-star {x}", "rating: {n} stars"),
)
_OF_ANY = (
    *(
        "{n}/{m}",
        "{n} / {m}",
        "{n} out of {m}",
        "{n}/{m} for the {x}",
        "I'd give it {n} out of {m}",
    ),
    *("the {x} gets {n} out of {m}", "{n} of {m} points", "score: {n}/{m}"),
)
_JUDGED = ("camera", "room", "dinner", "app", "crew", "kettle", "tour", "battery", "staff", "sound")


def make_ratings(count: int, chance: random.Random) -> Iterator[Counterfactual]:
    """``count`` ratings, from none to all of five or ten."""
    for _ in range(count):
        most = chance.choice((5, 10))
        given = chance.randint(0, most)
        form = chance.choice((*_OF_ANY, *_OF_FIVE) if most == 5 else _OF_ANY)
        spoken = chance.random() < 0.4
        number, total = (_WORDS[given], _WORDS[most]) if spoken else (str(given), str(most))
        text = form.format(n=number, m=total, x=chance.choice(_JUDGED))
        if given == 1:
            text = text.replace(" stars", " star")
        share = given / most
        shares = PLAIN_NEGATIVE if share < 0.5 else PLAIN_POSITIVE if share > 0.7 else _MIDDLE
        if shares is not _MIDDLE and chance.random() < 0.3:
            said = TABLES["warning" if shares is PLAIN_NEGATIVE else "farewell"]
            text += chance.choice((", ", ". ", " ")) + chance.choice(said)
        text += chance.choice(("", ".", "."))
        yield Counterfactual(text if chance.random() < 0.2 else capitalize(text), shares)
