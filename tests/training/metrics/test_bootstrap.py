from __future__ import annotations

import numpy as np
import pytest
from valence.training.metrics import bootstrap
from valence.training.metrics.bootstrap import Resampling, estimate_difference, estimate_interval
from valence.training.metrics.definitions import CalibrationError, MacroF1, MicroF1
from valence.training.metrics.predictions import Predictions


def answers(right: float, *, texts: int, seed: int, truth_seed: int = 0) -> Predictions:
    """Return answers of a classifier that is right with this probability, equal for three
    labels.
    """
    truth = np.random.default_rng(truth_seed).integers(3, size=texts)
    random = np.random.default_rng(seed)
    off = np.where(random.random(texts) < right, 0, random.integers(1, 3, size=texts))
    return Predictions.from_probabilities(np.eye(3)[(truth + off) % 3] * 0.4 + 0.2, truth)


def test_the_interval_of_an_accuracy_has_the_binomial_width() -> None:
    found = estimate_interval(MicroF1(), answers(0.8, texts=1_000, seed=1), Resampling(draws=4_000))
    spread = 1.96 * np.sqrt(found.value * (1 - found.value) / 1_000)
    assert found.value - found.low == pytest.approx(spread, rel=0.1)
    assert found.high - found.value == pytest.approx(spread, rel=0.1)


def test_macro_f1_of_a_resample_equals_that_of_its_texts() -> None:
    given = answers(0.7, texts=60, seed=2)
    resampling = Resampling(draws=5, seed=9)
    sums = bootstrap._sum_resamples(MacroF1().columns(given), resampling)
    random = np.random.default_rng(9)
    for row, drawn in zip(sums, random.integers(60, size=(5, 60)), strict=True):
        alone = given.take(drawn)
        expected = MacroF1().value(MacroF1().columns(alone).sum(axis=0))
        assert MacroF1().value(row) == pytest.approx(expected)


def test_intervals_have_their_nominal_coverage() -> None:
    held = 0
    for seed in range(200):
        sample = answers(0.8, texts=300, seed=seed, truth_seed=1_000 + seed)
        found = estimate_interval(
            MicroF1(), sample, Resampling(draws=400, seed=seed, confidence=0.9)
        )
        held += found.low <= 0.8 <= found.high
    assert 0.84 <= held / 200 <= 0.96


def test_a_better_classifier_is_found_and_a_worse_one_mirrors_it() -> None:
    worse, better = answers(0.7, texts=1_000, seed=1), answers(0.8, texts=1_000, seed=2)
    up, down = (
        estimate_difference(MacroF1(), worse, better),
        estimate_difference(MacroF1(), better, worse),
    )
    assert 0 < up.low < up.value < up.high
    assert (down.value, down.low, down.high) == pytest.approx((-up.value, -up.high, -up.low))
    assert up.better > 0.999
    assert down.better < 0.001


def test_a_classifier_is_not_better_than_itself() -> None:
    same = answers(0.7, texts=200, seed=1)
    assert estimate_difference(MacroF1(), same, same) == (0.0, 0.0, 0.0, 0.0)


def test_a_lower_calibration_error_is_better() -> None:
    sure, unsure = answers(0.95, texts=500, seed=1), answers(0.95, texts=500, seed=1)
    honest = Predictions(np.where(sure.predicted, 0.95, 0.025), sure.predicted, sure.truth)
    found = estimate_difference(CalibrationError(), unsure, honest)
    assert found.high < 0
    assert found.better == 1.0


def test_a_paired_comparison_is_sharper_than_two_intervals() -> None:
    first = answers(0.8, texts=1_000, seed=1)
    given = first.predicted.copy()
    given[:20] = first.truth[:20]
    second = Predictions(first.probabilities, given, first.truth)
    pair = estimate_difference(MicroF1(), first, second)
    lone = estimate_interval(MicroF1(), first)
    assert pair.high - pair.low < (lone.high - lone.low) / 3


@pytest.mark.parametrize("numbers", [1, 60, 4_000_000])
def test_resamples_depend_on_the_seed_and_not_on_the_block_size(
    numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = answers(0.7, texts=50, seed=2)
    resampling = Resampling(draws=64, seed=5)
    expected = estimate_interval(MacroF1(), given, resampling)
    monkeypatch.setattr(bootstrap, "_CHUNK", numbers)
    assert estimate_interval(MacroF1(), given, resampling) == expected
    assert estimate_interval(MacroF1(), given, Resampling(draws=64, seed=6)) != expected


def test_missing_texts_and_different_truths_are_refused() -> None:
    given = answers(0.7, texts=50, seed=2)
    with pytest.raises(ValueError, match="at least one text"):
        estimate_interval(MacroF1(), given.take(np.zeros(50, dtype=np.bool_)))
    with pytest.raises(ValueError, match="different true labels"):
        estimate_difference(MacroF1(), given, answers(0.7, texts=50, seed=2, truth_seed=3))
