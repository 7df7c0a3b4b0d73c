from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from valence.training.metrics.calibration import (
    MAX_TEMPERATURE,
    MIN_ERRORS,
    MIN_TEMPERATURE,
    MIN_TEXTS,
    can_sharpen,
    fit_temperature,
    negative_log_likelihood,
)
from valence.training.metrics.scores import evaluate


def planted(temperature: float, *, count: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, and labels drawn from the softmax of the logits divided by ``temperature``."""
    random = np.random.default_rng(0)
    logits = random.normal(scale=2 * temperature, size=(count, 3))
    probabilities = softmax(logits / temperature, axis=1)
    drawn = (random.random((count, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    return logits, drawn.clip(0, 2)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7, 5.0])
def test_a_planted_temperature_is_found(temperature: float) -> None:
    assert fit_temperature(*planted(temperature)) == pytest.approx(temperature, rel=0.03)


def test_calibration_fixes_overconfidence_and_keeps_labels() -> None:
    logits, truth = planted(3.0)
    found = fit_temperature(logits, truth)
    labels = ("a", "b", "c")
    before = evaluate(softmax(logits, axis=1), truth, labels=labels)
    after = evaluate(softmax(logits / found, axis=1), truth, labels=labels)
    assert before.ece > 0.1
    assert after.ece < 0.01
    assert after.confusion == before.confusion


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(2, 6), st.floats(1e-3, 1e3))
def test_calibration_is_never_worse_than_temperature_one(seed, count, labels, scale) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(scale=scale, size=(count, labels))
    truth = random.integers(0, labels, count)
    found = fit_temperature(logits, truth)
    assert MIN_TEMPERATURE <= found <= MAX_TEMPERATURE
    fitted = negative_log_likelihood(logits, truth, temperature=found)
    assert fitted <= negative_log_likelihood(logits, truth, temperature=1.0)


def test_uninformative_logits_keep_a_temperature_of_one() -> None:
    assert fit_temperature(np.zeros((5, 3)), np.array([0, 1, 2, 0, 1])) == 1.0


def test_extreme_temperatures_stay_within_the_bounds() -> None:
    logits = np.eye(3)[np.arange(1_000) % 3] / 1_000
    right = np.arange(1_000) % 3
    nearly = np.where(np.arange(1_000) < MIN_ERRORS, (right + 1) % 3, right)
    wrong = (right + 1) % 3
    assert fit_temperature(logits, nearly) == pytest.approx(MIN_TEMPERATURE, rel=1e-3)
    assert fit_temperature(1_000 * logits, wrong) == pytest.approx(MAX_TEMPERATURE, rel=1e-3)


@pytest.mark.parametrize(
    ("texts", "errors", "sharper"),
    [
        (18, 0, False),  # few texts, all right
        (18, 5, False),  # few texts
        (2_000, 0, False),  # all right
        (2_000, MIN_ERRORS - 1, False),
        (MIN_TEXTS, MIN_ERRORS, True),
        (2_000, 200, True),
    ],
)
def test_few_or_perfect_texts_make_no_model_surer(texts: int, errors: int, sharper: bool) -> None:
    """In a single-label and in a multi-label task."""
    truth = np.arange(texts) % 2
    logits = np.where(np.eye(2)[truth] == 1, 0.1, -0.1)
    logits[:errors] *= -1
    several = np.eye(2, dtype=np.int64)[truth]
    for expected in (truth, several):
        assert can_sharpen(logits, expected) is sharper
        found = fit_temperature(logits, expected)
        assert found < 0.5 if sharper else found == 1.0


@pytest.mark.parametrize("texts", [18, 2_000])
def test_few_texts_still_make_a_model_less_sure(texts: int) -> None:
    """Calibration against overconfidence needs no more texts than before."""
    truth = np.arange(texts) % 2
    logits = np.where(np.eye(2)[truth] == 1, 20.0, -20.0)
    logits[: texts // 3] *= -1
    assert fit_temperature(logits, truth) > 5


def test_a_small_dev_split_does_not_raise_the_test_brier() -> None:
    """18 dev texts that are all right, of a model that is right in four of five test texts."""
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 1_000)
    right = random.random(1_000) < 0.8
    logits = np.where(np.eye(2)[np.where(right, truth, 1 - truth)] == 1, 1.0, -1.0)
    dev = np.flatnonzero(right)[:18]
    temperature = fit_temperature(logits[dev], truth[dev])
    briers = [
        evaluate(softmax(logits / t, axis=1), truth, labels=("a", "b")).brier
        for t in (temperature, 1.0, MIN_TEMPERATURE)
    ]
    assert briers[0] <= briers[1] < briers[2]


def test_fp32_logits_are_fitted_in_fp64() -> None:
    logits, truth = planted(1.7, count=2_000)
    assert fit_temperature(logits.astype(np.float32), truth) == pytest.approx(
        fit_temperature(logits, truth), rel=1e-4
    )


@pytest.mark.parametrize(
    ("logits", "truth", "message"),
    [
        (np.zeros((0, 3)), np.array([], dtype=int), "at least one"),
        (np.zeros((2, 3)), np.array([0]), r"shape \(2, 3\)"),
        (np.zeros(3), np.array([0, 1, 2]), r"shape \(3,\)"),
        (np.array([[0.0, np.nan]]), np.array([0]), "diverged"),
        (np.array([[0.0, np.inf]]), np.array([0]), "diverged"),
    ],
)
def test_degenerate_logits_are_refused(logits, truth, message) -> None:
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, truth)
