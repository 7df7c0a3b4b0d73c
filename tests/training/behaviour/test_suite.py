from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from valence.training.behaviour import suite, words
from valence.training.behaviour.model_under_test import ModelUnderTest
from valence.training.behaviour.perturbations import PERTURBATIONS
from valence.training.behaviour.templates import Expectation

POLARITY = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}
HELD_OUT = [f"Mary didn't like Rome in {year}, a secret told here" for year in range(1950, 1990)]
EXPECTED = {one.name: one for one in suite.build_expectations(POLARITY)}


def as_probabilities(polarity: float) -> list[float]:
    """Of negative, neutral, positive: of just this polarity, neutral the likeliest below 1/2."""
    return [max(0.0, -polarity), 1.0 - abs(polarity), max(0.0, polarity)]


def subject(polarity: Callable[[str], float]) -> ModelUnderTest:
    """A classifier that says of a text what ``polarity`` does."""

    def answer(texts: Sequence[str]) -> np.ndarray:
        return np.array([as_probabilities(polarity(text)) for text in texts])

    return ModelUnderTest(tuple(POLARITY), answer, polarity=POLARITY)


@functools.cache
def reader(text: str) -> float:
    """Knows every word of the templates, negations, degrees and faces."""
    found = text.split()
    plain = {re.sub(r"\W", "", word) for word in found}
    good = {*words.GOOD, *words.LIKE, *words.RATHER_GOOD, "kind", "wonderful", "happy"}
    bad = {*words.BAD, *words.DISLIKE, *words.RATHER_BAD, "terrible", "rude", "angry"}
    told = text.replace("kind of", "slightly")
    sign = float(bool(good & set(re.findall(r"\w+", told)))) - float(bool(bad & plain))
    denied = re.search(r"\bnot\b|n't\b|Nobody", text) is not None
    strength = 0.7
    if re.search(rf"\b({'|'.join(words.INTENSIFIERS)})\b", text):
        strength = 0.9
    if re.search(rf"\b({'|'.join(words.DOWNTONERS)})\b", text):
        strength = 0.55
    faces = found[-1] in (*words.HAPPY_EMOJI, *words.HAPPY_EMOTICONS)
    faces -= found[-1] in (*words.UNHAPPY_EMOJI, *words.UNHAPPY_EMOTICONS)
    return (0.0 if denied else sign * strength) + 0.1 * faces


def without(unknown: Sequence[str]) -> Callable[[str], float]:
    """As the reader, but some words say nothing to it."""
    return lambda text: reader(re.sub(rf"\b({'|'.join(unknown)})\b ", "", text))


def rates(polarity: Callable[[str], float]) -> dict[str, float]:
    asked = subject(polarity)
    found = suite.run_suite(asked, HELD_OUT, asked.predict_labels(HELD_OUT))
    return {one.name: one.rate for one in found}


def test_who_understands_the_sentences_passes_every_case() -> None:
    assert set(rates(reader).values()) == {1.0}


@pytest.mark.parametrize(
    ("broken", "fails"),
    [
        (lambda text: reader(re.sub(r"\bnot |n't|Nobody", "", text)), {"negat"}),
        (without(words.INTENSIFIERS), {"intensifiers"}),
        (without(words.DOWNTONERS), {"downtoners"}),
        (lambda text: reader(text.encode("ascii", "ignore").decode() + " "), {"emoji"}),
        (lambda text: reader(text) - 0.11 * ("Muslim" in text), {"fairness: religion"}),
        (lambda text: reader(text) - 0.11 * ("Latoya" in text), {"fairness: "}),
        (lambda text: 0.9, {"neg", "neutral", "intensifiers", "downtoners", "emo"}),
    ],
)
def test_who_lacks_one_thing_fails_there_and_nowhere_else(
    broken: Callable[[str], float], fails: set[str]
) -> None:
    failed = {name for name, rate in rates(broken).items() if rate < 1}
    assert failed
    for name in failed:
        assert any(name.startswith(start) for start in fails), name
    for start in fails:
        assert any(name.startswith(start) for name in failed), start


def test_a_shift_within_the_margin_passes_and_one_past_it_fails() -> None:
    within = rates(lambda text: reader(text) - 0.0999 * ("Muslim" in text))
    assert within["fairness: religion"] == 1.0
    past = rates(lambda text: reader(text) - 0.1001 * ("Muslim" in text))
    assert past["fairness: religion"] < 1.0


def test_without_a_polarity_only_rewritings_are_tried_and_without_texts_nothing() -> None:
    asked = ModelUnderTest(("a", "b"), lambda texts: np.array([[0.6, 0.4]] * len(texts)))
    found = suite.run_suite(asked, HELD_OUT, asked.predict_labels(HELD_OUT))
    assert [one.name for one in found] == list(PERTURBATIONS)
    assert {one.rate for one in found} == {1.0}
    assert suite.run_suite(asked, [], np.zeros((0, 2), dtype=np.bool_)) == ()


def test_without_a_neutral_label_nothing_is_expected_of_neutral_sentences() -> None:
    names = {one.name for one in suite.build_expectations({"bad": -1.0, "good": 1.0})}
    assert set(EXPECTED) - names == {"neutral sentences", "negated neutral"}


def test_failures_are_of_templates_and_never_of_held_out_texts() -> None:
    asked = subject(lambda text: 0.9 if len(text) % 2 else -0.9)
    found = suite.run_suite(asked, HELD_OUT, asked.predict_labels(HELD_OUT))
    assert min(one.rate for one in found if one.name in PERTURBATIONS) < 1
    told = [text.text for one in found for case in one.failures for text in case]
    assert told
    assert not [text for text in told if "secret" in text]
    cases = {text for one in EXPECTED.values() for case in one.cases for text in case}
    assert set(told) <= cases
    for one in found:
        for case in one.failures:
            answers = asked.predict_sentiment([text.text for text in case])
            assert [(text.label, text.polarity) for text in case] == [
                (answer.label, answer.polarity) for answer in answers
            ]
            assert not EXPECTED[one.name].passes(answers)


@pytest.mark.parametrize("expected", EXPECTED.values(), ids=EXPECTED.keys())
def test_every_capability_has_hundreds_of_cases_of_well_formed_sentences(
    expected: Expectation,
) -> None:
    assert len(expected.cases) >= 200
    assert len(set(expected.cases)) == len(expected.cases)
    for case in expected.cases:
        assert len(set(case)) == len(case)
        for text in case:
            assert text[0].isupper()
            assert not re.search(r"[{}]|  |\ba [aeiouAEIOU]|\ban [^aeiouAEIOU]", text), text


def test_the_cases_are_the_same_each_time() -> None:
    assert [one.cases for one in suite.build_expectations(POLARITY)] == [
        one.cases for one in EXPECTED.values()
    ]
