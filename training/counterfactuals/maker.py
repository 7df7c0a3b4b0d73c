"""All labelled copies that a configuration asks for."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence

from valence.training.config.schema import Counterfactuals
from valence.training.corpora.example import Example
from valence.training.counterfactuals import (
    contrast,
    distance,
    experiences,
    faces,
    people,
    ratings,
    results,
)
from valence.training.counterfactuals.frames import Found, find_frames
from valence.training.counterfactuals.sides import Counterfactual, Shares, Sides

_NO_FRAMES = Found((), (), ())
CORPUS = "counterfactuals"
RULES = "rules"
"""The corpus of copies that no teacher is asked about: rules know more of them than an encoder."""


def make_counterfactuals(
    settings: Counterfactuals,
    examples: Sequence[Example],
    polarity: Mapping[str, float],
    excluded: Collection[Example] = (),
) -> tuple[Example, ...]:
    """The counterfactuals of ``examples``, whose labels have the values ``polarity``.

    Leaves out copies of ``excluded`` examples. The same seed gives the same counterfactuals.
    """
    sides = Sides.from_polarity(polarity)
    found = _NO_FRAMES
    if settings.contrast or settings.distance:
        found = find_frames(example.text for example in examples)
    held_out = {example.normal_form for example in excluded}
    made: dict[str, Example] = {}
    for corpus, copies in (
        (CORPUS, _make(settings, examples, sides, found)),
        (RULES, _make_by_rules(settings, len(examples), found)),
    ):
        for text, of_sides in copies:
            if text in made:
                continue
            shares = sides.make_shares(of_sides)
            label = max(shares, key=lambda name: shares[name])
            example = Example(text, label, corpus, shares)
            if example.normal_form not in held_out:
                made[text] = example
    return tuple(made.values())


def _make(
    settings: Counterfactuals, examples: Sequence[Example], sides: Sides, found: Found
) -> Iterator[Counterfactual]:
    chance = random.Random(settings.seed)  # noqa: S311 - nothing secret
    for example in chance.sample(examples, round(settings.emoji * len(examples))):
        yield from faces.decorate(example.text, _shares_of(example, sides), chance)
    if settings.contrast:
        count = round(settings.contrast * len(examples))
        yield from contrast.make_contrasts(found, count, chance)
        neutral = [example for example in examples if example.label == sides.neutral]
        share = min(1.0, settings.contrast / 4)
        for example in chance.sample(neutral, round(share * len(neutral))):
            negated = contrast.negate_neutral(example.text)
            if negated is not None:
                yield Counterfactual(negated, _shares_of(example, sides))
    if settings.people:
        for example in examples:
            yield from people.insert_group(example.text, _shares_of(example, sides), chance)
        yield from people.make_statements(round(settings.people * len(examples)), chance)


def _make_by_rules(settings: Counterfactuals, texts: int, found: Found) -> Iterator[Counterfactual]:
    # a seed of their own: the other copies, which a teacher has answered, stay as they are
    chance = random.Random(settings.seed)  # noqa: S311 - nothing secret
    count = round(settings.distance * texts)
    yield from distance.make_distant_negations(found, count, chance)
    for share, make in (
        (settings.results, results.make_results),
        (settings.experiences, experiences.make_experiences),
        (settings.ratings, ratings.make_ratings),
        (settings.introductions, people.make_introductions),
    ):
        yield from make(round(share * texts), chance)


def _shares_of(example: Example, sides: Sides) -> Shares:
    shares = example.shares or dict.fromkeys(example.labels, 1.0)
    negative, neutral, positive = (
        shares.get(side, 0.0) if side else 0.0
        for side in (sides.negative, sides.neutral, sides.positive)
    )
    return negative, neutral, positive
