"""Cases made from templates, and the expected predictions for them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from string import Formatter

from valence.service.classifier.manifest import BehaviourKind
from valence.training.behaviour.grammar import add_article
from valence.training.behaviour.model_under_test import SentimentPrediction

Case = tuple[str, ...]
"""The texts of a case, which pass or fail together; or their templates."""

Filler = str | tuple[str, ...]
"""The word that fills a slot: one word for all texts of a case, or one word for each text."""

# cases of one expectation: a pass rate of 80 % is then known to 4 points
MAX_CASES = 400


@dataclass(frozen=True, slots=True)
class Expectation:
    """``passes`` says whether the predictions for the texts of a case are as expected."""

    name: str
    kind: BehaviourKind
    expects: str
    passes: Callable[[Sequence[SentimentPrediction]], bool]
    cases: tuple[Case, ...]


def fill_templates(templates: Iterable[Case], **slots: Iterable[Filler]) -> tuple[Case, ...]:
    """Each of ``templates``, filled with each combination of the words of its slots.

    ``{thing}`` stands for a word of the slot ``thing``, ``{a_thing}`` for the same word with its
    article. Where there are more than :data:`MAX_CASES` cases, a sample is taken, always the same.
    """
    fillers = {slot: tuple(values) for slot, values in slots.items()}
    combinations = list(_combinations(templates, fillers))
    if len(combinations) > MAX_CASES:
        chance = random.Random(0)  # noqa: S311 - nothing secret
        indices = sorted(chance.sample(range(len(combinations)), MAX_CASES))
        combinations = [combinations[index] for index in indices]
    return tuple(
        tuple(text.format_map(_values(chosen, index)) for index, text in enumerate(texts))
        for texts, chosen in combinations
    )


def make_single_text_templates(*templates: str) -> tuple[Case, ...]:
    """Templates whose cases are one text each."""
    return tuple((template,) for template in templates)


def make_pair_templates(*templates: str) -> tuple[Case, ...]:
    """Templates whose cases are two texts, which differ in the word that fills a slot."""
    return tuple((template, template) for template in templates)


def _combinations(
    templates: Iterable[Case], fillers: dict[str, tuple[Filler, ...]]
) -> Iterator[tuple[Case, dict[str, Filler]]]:
    for texts in templates:
        names = {name for text in texts for _, name, _, _ in Formatter().parse(text)}
        used = [slot for slot in fillers if not names.isdisjoint((slot, f"a_{slot}"))]
        for chosen in itertools.product(*(fillers[slot] for slot in used)):
            yield texts, dict(zip(used, chosen, strict=True))


def _values(chosen: dict[str, Filler], index: int) -> dict[str, str]:
    """The words of the slots in the text at ``index`` of a case, without and with article."""
    values = {}
    for slot, filler in chosen.items():
        word = filler if isinstance(filler, str) else filler[index]
        values[slot] = word
        values[f"a_{slot}"] = add_article(word)
    return values
