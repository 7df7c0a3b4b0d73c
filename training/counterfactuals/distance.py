"""Clauses with a negation far before them: "no one who came with us would rate the room as clean".

As many copies have the same form without a negation, so that the form alone says nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from valence.training.behaviour.grammar import capitalize
from valence.training.counterfactuals.contrast import (
    NOT_NEGATIVE,
    NOT_POSITIVE,
    PLAIN_NEGATIVE,
    PLAIN_POSITIVE,
    draw_adjective,
)
from valence.training.counterfactuals.frames import Found
from valence.training.counterfactuals.sides import Counterfactual

_NEGATED = (
    "I wouldn't claim, {aside}, that {s} {v} {a}.",
    "I would not go so far as to claim that {s} {v} {a}.",
    "I would never write, {aside}, that {s} {v} {a}.",
    "I couldn't report, {aside}, that {s} {v} {a}.",
    "We don't feel, {aside}, that {s} {v} {a}.",
    "We don't believe that {s}, {aside}, {v} {a}.",
    "I don't suppose, {aside}, that {s} {v} {a}.",
    "She didn't tell me, {aside}, that {s} {v} {a}.",
    "They can't pretend, {aside}, that {s} {v} {a}.",
    "No one who {deed} would rate {s} as {a}.",
    "Nobody that {deed} described {s} as {a}.",
    "Not one person who {deed} found {s} {a}.",
    "None of those who {deed} considers {s} {a}.",
    "Hardly a guest who {deed} would consider {s} {a}.",
    "Few of those who {deed} would rate {s} as {a}.",
)
_PLAIN = (
    "I would claim, {aside}, that {s} {v} {a}.",
    "I would even go so far as to claim that {s} {v} {a}.",
    "I would write, {aside}, that {s} {v} {a}.",
    "I can report, {aside}, that {s} {v} {a}.",
    "We do feel, {aside}, that {s} {v} {a}.",
    "We believe that {s}, {aside}, {v} {a}.",
    "I suppose, {aside}, that {s} {v} {a}.",
    "She told me, {aside}, that {s} {v} {a}.",
    "Everyone who {deed} would rate {s} as {a}.",
    "All that {deed} described {s} as {a}.",
    "Each person who {deed} found {s} {a}.",
    "Those who {deed} consider {s} {a}.",
)
_OPENINGS = (
    *("since", "because", "although", "considering that", "even if", "now that", "seeing that"),
    *("while", "as", "knowing that", "before"),
)
_ASIDES = (
    *("it rained in the morning", "we came by train", "they had told me twice", "I asked again"),
    *("my uncle had written to us", "the others arrived later", "I had read so much about it"),
    *("it is only my first month", "we paid by card", "she had phoned the office", "we left early"),
    *("it was moved to another week", "they had changed the plan", "we stayed until the end"),
    *("I am no expert", "there were many of us", "we live next to it", "it was our third visit"),
)
_DEEDS = (
    *("came with us", "saw it", "tried it", "read the leaflet", "paid for it", "travelled with me"),
    *(
        "stayed until the end",
        "knows the area",
        "asked at the desk",
        "waited outside",
        "lives here",
    ),
    *("came in the morning", "took part in it", "talked to them", "has been to it twice"),
)
_NEGATED_SHARE = 0.6
_POSITIVE_SHARE = 0.65


def make_distant_negations(
    found: Found, count: int, chance: random.Random
) -> Iterator[Counterfactual]:
    """``count`` clauses of ``found`` frames and adjectives; none if a side has no adjective."""
    if not (found.frames and found.positive and found.negative):
        return
    for _ in range(count):
        positive, negated = chance.random() < _POSITIVE_SHARE, chance.random() < _NEGATED_SHARE
        adjective = draw_adjective(found, chance, positive=positive)
        subject, verb = chance.choice(found.frames)
        text = chance.choice(_NEGATED if negated else _PLAIN).format(
            s=subject,
            v=verb,
            a=adjective,
            aside=f"{chance.choice(_OPENINGS)} {chance.choice(_ASIDES)}",
            deed=chance.choice(_DEEDS),
        )
        plain = PLAIN_POSITIVE if positive else PLAIN_NEGATIVE
        shares = (NOT_POSITIVE if positive else NOT_NEGATIVE) if negated else plain
        yield Counterfactual(text if chance.random() < 0.2 else capitalize(text), shares)
