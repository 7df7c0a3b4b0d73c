from __future__ import annotations

import pytest
from valence.training.pipeline.curve.forecast import forecast_accuracy
from valence.training.pipeline.curve.points import Point


def make_points(noise: float = 0.0, power: float = -0.5) -> list[Point]:
    """Errors of 4 / sqrt(labels)."""
    return [
        Point(
            "linear",
            labels,
            tuple(1.0 - 4.0 * labels**power * (1.0 + noise * sign) for sign in (-1, 0, 1)),
            0.5,
        )
        for labels in (100, 200, 400, 800)
    ]


def test_errors_that_fall_as_a_power_go_on() -> None:
    found = forecast_accuracy(make_points(), 1_600)
    assert found.accuracy == pytest.approx(0.9)
    assert (found.low, found.high) == (pytest.approx(0.9), pytest.approx(0.9))


def test_folds_that_differ_widen_the_interval() -> None:
    found = forecast_accuracy(make_points(noise=0.1), 1_600)
    assert found.low < 0.9 - 0.002 < 0.9 + 0.002 < found.high


def test_more_labels_never_do_harm() -> None:
    rising = [
        Point("linear", labels, (1.0 - error,) * 3, 0.5)
        for labels, error in ((100, 0.2), (200, 0.22), (400, 0.24))
    ]
    found = forecast_accuracy(rising, 800)
    assert found.accuracy == pytest.approx(0.78, abs=0.01)
