"""Sentences made of templates, and what a classifier should make of them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from string import Formatter

from valence.service.classifier.manifest import BehaviourKind
from valence.training.behaviour.subject import Answer

Texts = tuple[str, ...]
"""The texts of a case, which are looked at together."""

Word = str | tuple[str, ...]
"""What fills a slot: the same in all texts of a case, or one for each of them."""

# cases of one expectation: a pass rate of 80 % is then known to 4 points
MOST_CASES = 400


@dataclass(frozen=True, slots=True)
class Expectation:
    """``passes`` says whether the answers to the texts of a case are as they should be."""

    name: str
    kind: BehaviourKind
    expects: str
    passes: Callable[[Sequence[Answer]], bool]
    cases: tuple[Texts, ...]


def fill(templates: Iterable[Texts], **slots: Iterable[Word]) -> tuple[Texts, ...]:
    """Each of ``templates`` with each combination of the words of the slots in it.

    ``{thing}`` is a word of the slot ``thing``, ``{a_thing}`` the same with its article. Of more
    than :data:`MOST_CASES` cases a sample is taken, always the same.
    """
    words = {slot: tuple(values) for slot, values in slots.items()}
    combinations = list(_combinations(templates, words))
    if len(combinations) > MOST_CASES:
        chance = random.Random(0)  # noqa: S311 - nothing secret
        places = sorted(chance.sample(range(len(combinations)), MOST_CASES))
        combinations = [combinations[place] for place in places]
    return tuple(
        tuple(text.format_map(_values(chosen, place)) for place, text in enumerate(texts))
        for texts, chosen in combinations
    )


def alone(*templates: str) -> tuple[Texts, ...]:
    """Templates whose cases are one text each."""
    return tuple((template,) for template in templates)


def twice(*templates: str) -> tuple[Texts, ...]:
    """Templates whose cases are two texts, which differ in what fills a slot."""
    return tuple((template, template) for template in templates)


def _combinations(
    templates: Iterable[Texts], words: dict[str, tuple[Word, ...]]
) -> Iterator[tuple[Texts, dict[str, Word]]]:
    for texts in templates:
        names = {name for text in texts for _, name, _, _ in Formatter().parse(text)}
        used = [slot for slot in words if not names.isdisjoint((slot, f"a_{slot}"))]
        for chosen in itertools.product(*(words[slot] for slot in used)):
            yield texts, dict(zip(used, chosen, strict=True))


def _values(chosen: dict[str, Word], place: int) -> dict[str, str]:
    found = {}
    for slot, word in chosen.items():
        one = word if isinstance(word, str) else word[place]
        found[slot] = one
        found[f"a_{slot}"] = f"{'an' if one[0].lower() in 'aeiou' else 'a'} {one}"
    return found
