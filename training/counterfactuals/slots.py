"""Templates whose slots are filled from tables of words by chance."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from string import Formatter

from valence.training.behaviour.grammar import add_article

_ARTICLE = "a_"


def fill_slots(template: str, tables: Mapping[str, Sequence[str]], chance: random.Random) -> str:
    """``template`` with a word of ``tables`` in each slot; slot ``a_x`` is a word of x with "a".

    A word may have slots of its own. Raises :class:`KeyError` for a slot that has no table.
    """
    slots = [name for _, name, _, _ in Formatter().parse(template) if name]
    filled = {}
    for slot in dict.fromkeys(slots):
        word = fill_slots(chance.choice(tables[slot.removeprefix(_ARTICLE)]), tables, chance)
        filled[slot] = add_article(word) if slot.startswith(_ARTICLE) else word
    return template.format(**filled)
