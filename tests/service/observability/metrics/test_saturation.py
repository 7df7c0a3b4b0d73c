import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context

import pytest
from valence.service.api.http.problems import KINDS
from valence.service.observability.metrics import saturation
from valence.service.observability.metrics.saturation import REASONS, Saturation, ThreadClock
from valence.service.server.refusals import REFUSALS

SPIN_SECONDS = 0.3


def spin(seconds: float) -> None:
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


@contextmanager
def crowd() -> Iterator[None]:
    """Keep the core of this thread busy with another process too."""
    (core, *_), before = sorted(os.sched_getaffinity(0)), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    process = get_context("fork").Process(target=spin, args=(5.0,))
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()
        os.sched_setaffinity(0, before)


class Worker:
    """A worker whose clocks say what a test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        self.busy = [0.0, 0.0]
        self.answered = self.refused = 0
        monkeypatch.setattr(saturation.time, "perf_counter", lambda: self.now)
        self.saturation = Saturation((0, 0))
        self.saturation._clocks = [  # type: ignore[assignment]
            type("Clock", (), {"seconds": lambda _, n=number: self.busy[n]})() for number in (0, 1)
        ]

    def measure(self) -> float:
        return self.saturation.measure(answered=self.answered, refused=self.refused)

    def live(self, seconds: float, *, loop: float = 0.0, engine: float = 0.0) -> float:
        """Pass so many seconds, in steps; the threads are busy for these shares of them."""
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            self.busy[0] += 0.5 * loop
            self.busy[1] += 0.5 * engine
            value = self.measure()
        return value


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    made = Worker(monkeypatch)
    assert made.measure() == 0.0
    return made


def test_the_busiest_thread_counts(worker):
    assert worker.live(5, loop=0.3, engine=0.7) == pytest.approx(0.7)
    assert worker.live(60, loop=0.4, engine=0.2) == pytest.approx(0.4)


def test_the_refused_share_is_added(worker):
    worker.answered, worker.refused = 30, 10
    assert worker.live(1, loop=1.0) == pytest.approx(1.25)
    worker.refused += 1_000_000
    assert 1.99 < worker.live(1, loop=1.0) <= 2.0


def test_refusals_of_an_idle_worker_count(worker):
    worker.refused = 7
    assert worker.live(1) == 1.0


def test_what_is_older_than_the_window_is_forgotten(worker):
    worker.refused = 7
    worker.live(10, loop=1.0)
    assert worker.live(2.5, loop=0.0) == pytest.approx(0.5)
    assert worker.live(2.5, loop=0.0) == 0.0


def test_a_loop_that_hung_for_long_was_busy(worker):
    worker.live(30, loop=0.1)
    worker.now += 60
    worker.busy[0] += 60
    assert worker.measure() > 0.8


def test_a_thread_that_waits_for_a_processor_is_busy():
    """It runs for half of the time beside another program, and can do no more."""
    worker = Saturation((threading.get_native_id(),))
    with crowd():
        worker.measure(answered=0, refused=0)
        before = time.thread_time()
        spin(SPIN_SECONDS)
        ran = time.thread_time() - before
        assert worker.measure(answered=0, refused=0) > 0.9
    assert ran < 0.8 * SPIN_SECONDS


def test_a_thread_that_sleeps_is_idle():
    worker = Saturation((threading.get_native_id(),))
    worker.measure(answered=0, refused=0)
    time.sleep(0.3)
    assert worker.measure(answered=0, refused=0) < 0.5


def test_another_thread_is_measured_by_its_number():
    spinning = threading.Thread(target=spin, args=(SPIN_SECONDS,))
    spinning.start()
    assert spinning.native_id
    clock = ThreadClock(spinning.native_id)
    before = clock.seconds()
    time.sleep(SPIN_SECONDS / 2)
    assert clock.seconds() - before > SPIN_SECONDS / 4
    spinning.join()


def test_without_the_kernels_figures_processor_time_stands_in():
    clock = ThreadClock(2**30)
    before = clock.seconds()
    spin(0.05)
    assert 0 < clock.seconds() - before < 1.0


def test_a_full_server_needs_no_further_descriptor(monkeypatch):
    clock = ThreadClock(threading.get_native_id())

    def refuse(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", refuse)
    before = clock.seconds()
    spin(0.05)
    assert clock.seconds() - before >= 0.04


def test_the_reasons_are_those_of_refusals():
    assert {kind.slug for kind in (*KINDS.values(), *REFUSALS)} > REASONS
