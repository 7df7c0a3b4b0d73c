"""Directional tests: what must raise or lower the polarity of a sentence, label or no label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from valence.training.behaviour import words
from valence.training.behaviour.subject import Answer
from valence.training.behaviour.templates import Expectation, Texts, fill

# the second of two texts is to be of higher polarity
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
_WITH_A_FACE = (
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


def expectations() -> Iterator[Expectation]:
    """Intensifiers, downtoners, and faces after neutral sentences."""
    yield _expect("intensifiers", "polarity further from 0", _STRONGER)
    yield _expect("downtoners", "polarity closer to 0", _WEAKER)
    yield _expect(
        "emoji",
        "polarity raised by a happy, lowered by an unhappy one",
        _WITH_A_FACE,
        happy=words.HAPPY_EMOJI,
        unhappy=words.UNHAPPY_EMOJI,
    )
    yield _expect(
        "emoticons",
        "polarity raised by a happy, lowered by an unhappy one",
        _WITH_A_FACE,
        happy=words.HAPPY_EMOTICONS,
        unhappy=words.UNHAPPY_EMOTICONS,
    )


def _expect(
    name: str, expects: str, templates: tuple[Texts, ...], **faces: tuple[str, ...]
) -> Expectation:
    cases = fill(templates, **_SLOTS, **faces)
    return Expectation(name, "directional", expects, _rises, cases)


def _rises(answers: Sequence[Answer]) -> bool:
    return answers[1].polarity > answers[0].polarity
