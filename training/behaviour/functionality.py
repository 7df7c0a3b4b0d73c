"""Minimum functionality: plain sentences, and the same ones denied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from valence.training.behaviour import words
from valence.training.behaviour.subject import Answer
from valence.training.behaviour.templates import Expectation, Texts, alone, fill

_SLOTS = {
    "thing": words.THINGS,
    "day": words.DAYS,
    "good": words.GOOD,
    "bad": words.BAD,
    "plain": words.PLAIN,
    "like": words.LIKE,
    "dislike": words.DISLIKE,
}
_POSITIVE = alone(
    "The {thing} was {good}.",
    "This is {a_good} {thing}.",
    "I think the {thing} is {good}.",
    "I {like} this {thing}.",
)
_NEGATIVE = alone(
    "The {thing} was {bad}.",
    "This is {a_bad} {thing}.",
    "I think the {thing} is {bad}.",
    "I {dislike} this {thing}.",
)
_NEUTRAL = alone(
    "The {thing} was {plain}.",
    "This is {a_plain} {thing}.",
    "We talked about the {thing} on {day}.",
    "This is the {thing} that they mentioned on {day}.",
)
_NEGATED_POSITIVE = alone(
    "The {thing} was not {good}.",
    "The {thing} wasn't {good}.",
    "This is not {a_good} {thing}.",
    "I don't think the {thing} is {good}.",
    "I don't {like} this {thing}.",
)
_NEGATED_NEGATIVE = alone(
    "The {thing} was not {bad}.",
    "The {thing} wasn't {bad}.",
    "This is not {a_bad} {thing}.",
    "I don't think the {thing} is {bad}.",
    "I don't {dislike} this {thing}.",
)
_NEGATED_NEUTRAL = alone(
    "The {thing} was not {plain}.",
    "This is not {a_plain} {thing}.",
    "We didn't talk about the {thing} on {day}.",
    "This is not the {thing} that they mentioned on {day}.",
)
_AT_A_DISTANCE = alone(
    "I wouldn't say, given that it was on a {day}, that the {thing} was {good}.",
    "I don't think, after all that we heard about it, that the {thing} is {good}.",
    "Nobody who was there on {day} would call the {thing} {good}.",
)
_AT_THE_END = alone(
    "I thought the {thing} would be {bad}, but it wasn't.",
    "I expected {a_bad} {thing}, but it was not.",
    "They said on {day} that the {thing} is {bad}, but it isn't.",
)


def expectations(polarity: Mapping[str, float]) -> Iterator[Expectation]:
    """Where no label's value is 0, nothing is expected of neutral sentences."""
    yield _expect("positive sentences", "a positive label", _positive, _POSITIVE)
    yield _expect("negative sentences", "a negative label", _negative, _NEGATIVE)
    neutral = 0.0 in polarity.values()
    if neutral:
        yield _expect("neutral sentences", "a neutral label", _neutral, _NEUTRAL)
    yield _expect("negated positive", "no positive label", _not_positive, _NEGATED_POSITIVE)
    yield _expect("negated negative", "no negative label", _not_negative, _NEGATED_NEGATIVE)
    if neutral:
        yield _expect("negated neutral", "a neutral label", _neutral, _NEGATED_NEUTRAL)
    yield _expect("negation at a distance", "no positive label", _not_positive, _AT_A_DISTANCE)
    yield _expect("negation at the end", "no negative label", _not_negative, _AT_THE_END)


def _expect(
    name: str,
    expects: str,
    passes: Callable[[Sequence[Answer]], bool],
    templates: tuple[Texts, ...],
) -> Expectation:
    return Expectation(name, "minimum functionality", expects, passes, fill(templates, **_SLOTS))


def _positive(answers: Sequence[Answer]) -> bool:
    return answers[0].value > 0


def _negative(answers: Sequence[Answer]) -> bool:
    return answers[0].value < 0


def _neutral(answers: Sequence[Answer]) -> bool:
    return answers[0].value == 0


def _not_positive(answers: Sequence[Answer]) -> bool:
    return answers[0].value <= 0


def _not_negative(answers: Sequence[Answer]) -> bool:
    return answers[0].value >= 0
