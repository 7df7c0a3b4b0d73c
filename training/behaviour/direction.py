"""Directional tests: changes that must raise or lower the polarity of a sentence.

The label may stay the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from valence.training.behaviour import words
from valence.training.behaviour.model_under_test import SentimentPrediction
from valence.training.behaviour.templates import Case, Expectation, fill_templates

# the second text of each pair must have the higher polarity
_STRONGER = (
    ("The {thing} was {good}.", "The {thing} was {more} {good}."),
    ("I think the {thing} is {good}.", "I think the {thing} is {more} {good}."),
    ("The {thing} was {more} {bad}.", "The {thing} was {bad}."),
    ("I think the {thing} is {more} {bad}.", "I think the {thing} is {bad}."),
)
_WEAKER = (
    ("The {thing} was {less} {good}.", "The {thing} was {good}."),
    ("I think the {thing} is {less} {good}.", "I think the {thing} is {good}."),
    ("The {thing} was {bad}.", "The {thing} was {less} {bad}."),
    ("I think the {thing} is {bad}.", "I think the {thing} is {less} {bad}."),
)
_WITH_FACE = (
    ("We talked about the {thing} on {day}.", "We talked about the {thing} on {day} {happy}"),
    ("This is the {thing} of {day}.", "This is the {thing} of {day} {happy}"),
    ("We talked about the {thing} on {day} {unhappy}", "We talked about the {thing} on {day}."),
    ("This is the {thing} of {day} {unhappy}", "This is the {thing} of {day}."),
)
_SLOTS = {
    "thing": words.THINGS,
    "day": words.DAYS,
    "good": words.RATHER_GOOD,
    "bad": words.RATHER_BAD,
    "more": words.INTENSIFIERS,
    "less": words.DOWNTONERS,
}


def build_expectations() -> Iterator[Expectation]:
    """The expectations: intensifiers, downtoners, and faces after neutral sentences."""
    yield _build_expectation("intensifiers", "polarity further from 0", _STRONGER)
    yield _build_expectation("downtoners", "polarity closer to 0", _WEAKER)
    yield _build_expectation(
        "emoji",
        "polarity raised by a happy, lowered by an unhappy one",
        _WITH_FACE,
        happy=words.HAPPY_EMOJI,
        unhappy=words.UNHAPPY_EMOJI,
    )
    yield _build_expectation(
        "emoticons",
        "polarity raised by a happy, lowered by an unhappy one",
        _WITH_FACE,
        happy=words.HAPPY_EMOTICONS,
        unhappy=words.UNHAPPY_EMOTICONS,
    )


def _build_expectation(
    name: str, expects: str, templates: tuple[Case, ...], **faces: tuple[str, ...]
) -> Expectation:
    cases = fill_templates(templates, **_SLOTS, **faces)
    return Expectation(name, "directional", expects, _rises, cases)


def _rises(predictions: Sequence[SentimentPrediction]) -> bool:
    return predictions[1].polarity > predictions[0].polarity
