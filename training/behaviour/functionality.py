"""Minimum functionality tests: plain sentences, and the same sentences negated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from valence.training.behaviour import words
from valence.training.behaviour.model_under_test import SentimentPrediction
from valence.training.behaviour.templates import (
    Case,
    Expectation,
    fill_templates,
    make_single_text_templates,
)

_SLOTS = {
    "thing": words.THINGS,
    "day": words.DAYS,
    "good": words.GOOD,
    "bad": words.BAD,
    "plain": words.PLAIN,
    "like": words.LIKE,
    "dislike": words.DISLIKE,
}
_POSITIVE = make_single_text_templates(
    "The {thing} was {good}.",
    "This is {a_good} {thing}.",
    "I think the {thing} is {good}.",
    "I {like} this {thing}.",
)
_NEGATIVE = make_single_text_templates(
    "The {thing} was {bad}.",
    "This is {a_bad} {thing}.",
    "I think the {thing} is {bad}.",
    "I {dislike} this {thing}.",
)
_NEUTRAL = make_single_text_templates(
    "The {thing} was {plain}.",
    "This is {a_plain} {thing}.",
    "We talked about the {thing} on {day}.",
    "This is the {thing} that they mentioned on {day}.",
)
_NEGATED_POSITIVE = make_single_text_templates(
    "The {thing} was not {good}.",
    "The {thing} wasn't {good}.",
    "This is not {a_good} {thing}.",
    "I don't think the {thing} is {good}.",
    "I don't {like} this {thing}.",
)
_NEGATED_NEGATIVE = make_single_text_templates(
    "The {thing} was not {bad}.",
    "The {thing} wasn't {bad}.",
    "This is not {a_bad} {thing}.",
    "I don't think the {thing} is {bad}.",
    "I don't {dislike} this {thing}.",
)
_NEGATED_NEUTRAL = make_single_text_templates(
    "The {thing} was not {plain}.",
    "This is not {a_plain} {thing}.",
    "We didn't talk about the {thing} on {day}.",
    "This is not the {thing} that they mentioned on {day}.",
)
_DISTANT_NEGATION = make_single_text_templates(
    "I wouldn't say, given that it was on a {day}, that the {thing} was {good}.",
    "I don't think, after all that we heard about it, that the {thing} is {good}.",
    "Nobody who was there on {day} would call the {thing} {good}.",
)
_FINAL_NEGATION = make_single_text_templates(
    "I thought the {thing} would be {bad}, but it wasn't.",
    "I expected {a_bad} {thing}, but it was not.",
    "They said on {day} that the {thing} is {bad}, but it isn't.",
)


def build_expectations(polarity: Mapping[str, float]) -> Iterator[Expectation]:
    """The expectations. Neutral sentences are left out where no label has the value 0."""
    yield _build_expectation("positive sentences", "a positive label", _is_positive, _POSITIVE)
    yield _build_expectation("negative sentences", "a negative label", _is_negative, _NEGATIVE)
    neutral = 0.0 in polarity.values()
    if neutral:
        yield _build_expectation("neutral sentences", "a neutral label", _is_neutral, _NEUTRAL)
    yield _build_expectation(
        "negated positive", "no positive label", _is_not_positive, _NEGATED_POSITIVE
    )
    yield _build_expectation(
        "negated negative", "no negative label", _is_not_negative, _NEGATED_NEGATIVE
    )
    if neutral:
        yield _build_expectation(
            "negated neutral", "a neutral label", _is_neutral, _NEGATED_NEUTRAL
        )
    yield _build_expectation(
        "negation at a distance", "no positive label", _is_not_positive, _DISTANT_NEGATION
    )
    yield _build_expectation(
        "negation at the end", "no negative label", _is_not_negative, _FINAL_NEGATION
    )


def _build_expectation(
    name: str,
    expects: str,
    passes: Callable[[Sequence[SentimentPrediction]], bool],
    templates: tuple[Case, ...],
) -> Expectation:
    return Expectation(
        name, "minimum functionality", expects, passes, fill_templates(templates, **_SLOTS)
    )


def _is_positive(predictions: Sequence[SentimentPrediction]) -> bool:
    return predictions[0].value > 0


def _is_negative(predictions: Sequence[SentimentPrediction]) -> bool:
    return predictions[0].value < 0


def _is_neutral(predictions: Sequence[SentimentPrediction]) -> bool:
    return predictions[0].value == 0


def _is_not_positive(predictions: Sequence[SentimentPrediction]) -> bool:
    return predictions[0].value <= 0


def _is_not_negative(predictions: Sequence[SentimentPrediction]) -> bool:
    return predictions[0].value >= 0
