"""How engines are compared while the processor has other work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from valence.service.inference.engines import factory, speed
from valence.service.inference.engines.native import available_paths, native_available
from valence.service.inference.engines.speed import compare_speed


class Clock:
    """The time of the processor that the engines of a test spend."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def thread_time(self) -> float:
        return self.seconds


class Engine:
    """Takes ``row`` seconds for a row, and what waiting for a lock costs in each call."""

    name = "timed"

    def __init__(self, clock: Clock, *, row: float, waits: Iterator[float]) -> None:
        self.clock, self.row, self.waits = clock, row, waits

    def logits(self, documents):
        self.clock.seconds += self.row * len(documents) + next(self.waits)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(speed, "time", clock)
    return clock


@pytest.mark.parametrize("row", [1e-7, 1e-6, 1e-4])
def test_waiting_for_a_lock_does_not_count(clock, row):
    """Under load one engine may meet a lock in each of its calls, and the other in none."""
    waiting = Engine(clock, row=row, waits=itertools.repeat(2e-5))
    lucky = Engine(clock, row=row, waits=itertools.repeat(0.0))
    assert compare_speed(waiting, lucky, words=13) == pytest.approx(1, abs=0.12)
    assert compare_speed(lucky, waiting, words=13) == pytest.approx(1, abs=0.12)


def test_a_slower_engine_is_as_slow_as_it_is(clock):
    fast, slow = (Engine(clock, row=row, waits=itertools.cycle((0, 1e-3))) for row in (1e-6, 3e-6))
    assert compare_speed(slow, fast, words=13) == pytest.approx(3, abs=0.1)


@pytest.mark.skipif(not native_available(), reason="the native engine is not built")
@pytest.mark.parametrize(("ratio", "place"), [(0.8, 1), (0.95, 0), (1.5, 0)])
def test_the_second_path_must_be_clearly_faster(tiny_artifact, monkeypatch, ratio, place):
    monkeypatch.setattr(factory, "_fastest", {})
    monkeypatch.setattr(factory, "compare_speed", lambda *_, **__: ratio)
    paths = available_paths()[:2]
    chosen = paths[min(place, len(paths) - 1)]
    assert factory._fastest_path(tiny_artifact) == chosen
