from __future__ import annotations

import math

import pytest
from valence.training.config.schema import Optimization
from valence.training.trainer import optimizer


def rates(total: int, **settings: object) -> list[float]:
    chosen = Optimization.model_validate(settings)
    return [optimizer.lr_factor(step, total, chosen) for step in range(total + 1)]


def test_the_linear_schedule_warms_up_and_ends_at_zero() -> None:
    found = rates(100, schedule="linear", warmup_steps=9)
    assert found[0] == pytest.approx(0.1)
    assert found[9] == pytest.approx(0.91)
    assert found[50] == pytest.approx(0.5)
    assert found[100] == 0.0


def test_the_cosine_schedule_is_half_way_in_the_middle() -> None:
    found = rates(100, schedule="cosine", warmup_steps=0)
    assert found[0] == 1.0
    assert found[50] == pytest.approx(0.5)
    assert found[25] == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert found[100] == pytest.approx(0.0)


def test_the_constant_schedule_only_warms_up() -> None:
    assert rates(6, schedule="constant", warmup_steps=3) == [0.25, 0.5, 0.75, 1, 1, 1, 1]
