from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.training.metrics.thresholds import MIN_TEXTS, choose_thresholds


def imbalanced(count: int = 4_000, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return calibrated probabilities of a common and a rare label, and truths drawn from them."""
    random = np.random.default_rng(seed)
    probabilities = random.beta([2.0, 0.3], [2.0, 3.0], (count, 2))
    return probabilities, (random.random((count, 2)) < probabilities).astype(np.int64)


def f1(probabilities: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    given = probabilities >= threshold
    return 2 * float((given & (truth == 1)).sum()) / max(1, int(given.sum() + truth.sum()))


def test_the_threshold_of_a_rare_label_is_below_one_half() -> None:
    """On other texts it gives a better F1."""
    _, rare = choose_thresholds(*imbalanced())
    assert 0.2 < rare < 0.45
    other, truth = imbalanced(seed=1)
    assert f1(other[:, 1], truth[:, 1], rare) > f1(other[:, 1], truth[:, 1], 0.5) + 0.05


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_no_threshold_has_a_better_f1(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    # few different values, because ties are the difficult case
    probabilities = random.integers(0, 6, (count, 1)) / 5
    truth = random.integers(0, 2, (count, 1))
    truth[:MIN_TEXTS] = 1
    (threshold,) = choose_thresholds(probabilities, truth)
    assert 0 < threshold <= 1
    reached = f1(probabilities[:, 0], truth[:, 0], threshold)
    everything = [1e-6, *np.linspace(0.01, 1.0, 100)]
    assert reached >= max(f1(probabilities[:, 0], truth[:, 0], t) for t in everything) - 1e-12


def test_a_threshold_lies_halfway_between_two_probabilities() -> None:
    probabilities = np.repeat([0.9, 0.6, 0.2, 0.1], MIN_TEXTS)[:, None]
    truth = np.repeat([1, 1, 0, 0], MIN_TEXTS)[:, None]
    assert choose_thresholds(probabilities, truth) == pytest.approx((0.4,))


def test_of_equal_thresholds_the_nearest_to_one_half_is_taken() -> None:
    # the label given to the first text only, or to all three: F1 is the same, 2/3
    probabilities = np.repeat([[0.9], [0.8], [0.1]], MIN_TEXTS, axis=0)
    truth = np.repeat([[1], [0], [1]], [MIN_TEXTS, MIN_TEXTS, MIN_TEXTS], axis=0)
    alone = f1(probabilities[:, 0], truth[:, 0], 0.85)
    whole = f1(probabilities[:, 0], truth[:, 0], 0.05)
    assert whole > alone  # so all three are taken
    assert choose_thresholds(probabilities, truth) == pytest.approx((0.05,))
    tied = np.array([[0.9], [0.7], [0.6], [0.2]] * MIN_TEXTS)
    said = np.array([[1], [0], [0], [1]] * MIN_TEXTS)
    cuts = {t: f1(tied[:, 0], said[:, 0], t) for t in (0.8, 0.1)}
    assert cuts[0.8] == pytest.approx(cuts[0.1])
    assert choose_thresholds(tied, said) == pytest.approx((0.8,))


@pytest.mark.parametrize(("texts", "own"), [(MIN_TEXTS, True), (MIN_TEXTS - 1, False)])
def test_a_label_with_too_few_texts_gets_the_pooled_threshold(texts: int, own: bool) -> None:
    probabilities = np.array([[0.9, 0.05]] * 20 + [[0.1, 0.01]] * 20)
    truth = np.zeros((40, 2), dtype=np.int64)
    truth[:20, 0] = 1
    truth[:texts, 1] = 1
    common, rare = choose_thresholds(probabilities, truth)
    assert common == pytest.approx(0.5)
    assert rare == pytest.approx(0.03 if own else 0.5)


def test_a_label_without_texts_has_a_threshold_of_one_half() -> None:
    assert choose_thresholds(np.full((3, 2), 0.4), np.zeros((3, 2), dtype=np.int64)) == (0.5, 0.5)


def test_a_threshold_is_above_zero_for_zero_probabilities() -> None:
    (threshold,) = choose_thresholds(np.zeros((6, 1)), np.ones((6, 1), dtype=np.int64))
    assert 0 < threshold < 1e-3
