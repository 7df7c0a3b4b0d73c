import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from valence.service.pacing import background


def run_apart(work: Callable[[], Any]) -> Any:
    """Run ``work`` in a thread of its own and return its result."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def naps(monkeypatch):
    """The pauses that threads make."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def test_the_foreground_has_no_pauses(naps):
    assert list(background.cut([1, 2, 3], 2)) == [[1, 2], [3]]
    assert not background.entered()
    assert naps == []


def test_the_background_pauses_after_each_piece(naps):
    def work():
        background.enter()
        return list(background.cut(tuple("abcde"), 2)), background.entered()

    assert run_apart(work) == ([("a", "b"), ("c", "d"), ("e",)], True)
    assert len(naps) == 3
    assert not background.entered()  # this thread is another one


def test_a_pause_is_three_times_as_long_as_the_work_before(naps):
    """But not endless: a model still has to be ready some time."""

    def work():
        background.enter()
        pauses = []
        for seconds in (0.0, 0.0005, 0.02):
            ends = time.thread_time() + seconds
            while time.thread_time() < ends:
                pass
            background.pause()
            pauses.append(naps[-1])
        return pauses

    shortest, longer, longest = run_apart(work)
    assert shortest <= 0.0005
    assert 0.0015 <= longer < longest
    assert longest == 0.002


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a priority for each thread")
def test_requests_go_before_the_background():
    def work():
        background.enter()
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert run_apart(work) > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a policy for each thread")
def test_the_background_takes_no_core_when_it_wakes():
    def work():
        background.enter()
        return os.sched_getscheduler(0)

    before = os.sched_getscheduler(0)
    assert run_apart(work) == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == before


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a policy for each thread")
def test_an_idle_process_keeps_its_policy(monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert run_apart(lambda: (background.enter(), background.entered())[1])
