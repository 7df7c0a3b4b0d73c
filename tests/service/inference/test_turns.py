import asyncio
import time
from types import SimpleNamespace

import pytest
from valence.service.errors import DeadlineExceeded
from valence.service.inference import turns as module
from valence.service.inference.turns import Turns

from tests.support.event_loop_turns import counted


def hold_loop(seconds):
    time.sleep(seconds)


@pytest.fixture
def clock(monkeypatch):
    """A clock that other programs do not move: ``clock.now`` is in seconds."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def count_to(number):
    for _ in range(number):
        yield
    return number


async def test_many_steps_give_others_turns_and_return_a_result():
    async with counted() as turns:
        assert await Turns().run(count_to(3)) == 3
        assert turns.count == 0
        assert await Turns().run(count_to(10_000)) == 10_000
        assert turns.count >= 10_000 // 256


async def test_slow_steps_give_others_turns_sooner():
    def sleep():
        for _ in range(64):
            time.sleep(0.0005)
            yield

    async with counted() as turns:
        await Turns().run(sleep())
        assert turns.count >= 3


async def test_work_ends_at_the_deadline():
    def work_for_ever():
        while True:
            yield

    turns = Turns(time.perf_counter() + 0.02)
    async with asyncio.timeout(5):
        with pytest.raises(DeadlineExceeded, match="send fewer or shorter texts"):
            await turns.run(work_for_ever())


async def test_one_of_many_works_in_a_turn(clock):
    """However many are at long work, another task waits for one of them."""
    worked = []

    async def work(name):
        turns = Turns()
        for _ in range(20):
            await turns.give()
            clock.now += 0.0001
            worked.append(name)

    tasks = [asyncio.create_task(work(name)) for name in range(10)]
    steps = []
    while not all(task.done() for task in tasks):
        before = len(worked)
        await asyncio.sleep(0)
        steps.append(len(worked) - before)
    assert max(steps) == 1
    # in turn, each as often as the others
    assert [sorted(worked[start : start + 10]) for start in range(0, 200, 10)] == [
        list(range(10))
    ] * 20


async def test_a_crowded_loop_lets_several_work_in_a_turn(clock):
    """A flood is refused for milliseconds in each turn: the admitted ones keep the engine busy."""
    worked = []

    async def work(name):
        turns = Turns()
        for _ in range(5):
            clock.now += 0.0005
            worked.append(name)
            await turns.give()

    tasks = [asyncio.create_task(work(name)) for name in range(20)]
    steps = []
    while not all(task.done() for task in tasks):
        before = len(worked)
        await asyncio.sleep(0)
        clock.now += 0.01  # by others
        steps.append(len(worked) - before)
    # all begin at once; then about as long as the others, which is 20 pieces of half a millisecond
    assert 5 < max(steps[3:]) <= 20
    assert len(steps) < 40


async def test_a_cancelled_worker_leaves_the_turns_to_the_others():
    async def work():
        turns = Turns()
        for _ in range(5):
            await turns.give()
        return True

    first, second, third = (asyncio.create_task(work()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    async with asyncio.timeout(5):
        assert await first
        assert await third
    assert second.cancelled()
