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
EXPECTED = {result.name: result for result in suite.build_expectations(POLARITY)}


def as_probabilities(polarity: float) -> list[float]:
    """Return P(negative, neutral, positive) with this polarity; below 1/2 neutral is likeliest."""
    return [max(0.0, -polarity), 1.0 - abs(polarity), max(0.0, polarity)]


def subject(polarity: Callable[[str], float]) -> ModelUnderTest:
    """Return a classifier whose polarity of a text is ``polarity(text)``."""

    def answer(texts: Sequence[str]) -> np.ndarray:
        return np.array([as_probabilities(polarity(text)) for text in texts])

    return ModelUnderTest(tuple(POLARITY), answer, polarity=POLARITY)


@functools.cache
def reader(text: str) -> float:
    """Compute the polarity from every word of the templates, negations, degrees and emoticons."""
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
    """Return a reader that ignores some words."""
    return lambda text: reader(re.sub(rf"\b({'|'.join(unknown)})\b ", "", text))


def rates(polarity: Callable[[str], float]) -> dict[str, float]:
    asked = subject(polarity)
    found = suite.run_suite(asked, HELD_OUT, asked.predict_labels(HELD_OUT))
    return {result.name: result.rate for result in found}


def test_a_correct_reader_passes_every_case() -> None:
    assert set(rates(reader).values()) == {1.0}


@pytest.mark.parametrize(
    ("broken", "fails"),
    [
        (lambda text: reader(re.sub(r"\bnot |n't|Nobody", "", text)), {"negat"}),
        (without(words.INTENSIFIERS), {"intensifiers"}),
        (without(words.DOWNTONERS), {"downtoners"}),
        (lambda text: reader(text.encode("ascii", "ignore").decode() + " "), {"emoji"}),
        (lambda text: reader(text) - 0.11 * ("Sikh" in text), {"fairness: religion"}),
        (lambda text: reader(text) - 0.11 * ("Latoya" in text), {"fairness: "}),
        (lambda text: 0.9, {"neg", "neutral", "intensifiers", "downtoners", "emo"}),
    ],
)
def test_a_reader_that_lacks_one_capability_fails_only_there(
    broken: Callable[[str], float], fails: set[str]
) -> None:
    failed = {name for name, rate in rates(broken).items() if rate < 1}
    assert failed
    for name in failed:
        assert any(name.startswith(start) for start in fails), name
    for start in fails:
        assert any(name.startswith(start) for name in failed), start


def test_a_shift_passes_up_to_the_margin() -> None:
    within = rates(lambda text: reader(text) - 0.0999 * ("Sikh" in text))
    assert within["fairness: religion"] == 1.0
    past = rates(lambda text: reader(text) - 0.1001 * ("Sikh" in text))
    assert past["fairness: religion"] < 1.0


def test_without_a_polarity_only_rewritings_are_tested() -> None:
    """Without texts there is no test at all."""
    asked = ModelUnderTest(("a", "b"), lambda texts: np.array([[0.6, 0.4]] * len(texts)))
    found = suite.run_suite(asked, HELD_OUT, asked.predict_labels(HELD_OUT))
    assert [result.name for result in found] == list(PERTURBATIONS)
    assert {result.rate for result in found} == {1.0}
    assert suite.run_suite(asked, [], np.zeros((0, 2), dtype=np.bool_)) == ()


def test_without_a_neutral_label_neutral_cases_are_skipped() -> None:
    names = {result.name for result in suite.build_expectations({"bad": -1.0, "good": 1.0})}
    assert set(EXPECTED) - names == {"neutral sentences", "negated neutral"}


def test_shown_failures_are_never_held_out_texts() -> None:
    """They are sentences of the templates."""
    asked = subject(lambda text: 0.9 if len(text) % 2 else -0.9)
    found = suite.run_suite(asked, HELD_OUT, asked.predict_labels(HELD_OUT))
    assert min(result.rate for result in found if result.name in PERTURBATIONS) < 1
    told = [text.text for result in found for case in result.failures for text in case]
    assert told
    assert not [text for text in told if "secret" in text]
    cases = {text for result in EXPECTED.values() for case in result.cases for text in case}
    assert set(told) <= cases
    for one in found:
        for case in one.failures:
            answers = asked.predict_sentiment([text.text for text in case])
            assert [(text.label, text.polarity) for text in case] == [
                (answer.label, answer.polarity) for answer in answers
            ]
            assert not EXPECTED[one.name].passes(answers)


@pytest.mark.parametrize("expected", EXPECTED.values(), ids=EXPECTED.keys())
def test_every_capability_has_hundreds_of_cases(
    expected: Expectation,
) -> None:
    """All sentences are well formed."""
    assert len(expected.cases) >= 200
    assert len(set(expected.cases)) == len(expected.cases)
    for case in expected.cases:
        assert len(set(case)) == len(case)
        for text in case:
            assert text[0].isupper()
            assert not re.search(r"[{}]|  |\ba [aeiouAEIOU]|\ban [^aeiouAEIOU]", text), text


def test_the_cases_are_the_same_each_time() -> None:
    assert [result.cases for result in suite.build_expectations(POLARITY)] == [
        result.cases for result in EXPECTED.values()
    ]
