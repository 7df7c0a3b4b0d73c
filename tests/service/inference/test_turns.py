import asyncio
import time

import pytest
from valence.service.errors import DeadlineExceeded
from valence.service.inference.turns import Turns

from tests.support.event_loop_turns import counted


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
