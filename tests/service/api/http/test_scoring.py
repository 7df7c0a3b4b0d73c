import asyncio
import time

import pydantic_core
import pytest
from valence.service.api.http.scoring import TURN_TEXTS, to_json, to_nested_json
from valence.service.errors import DeadlineExceeded
from valence.service.inference.turns import Turns

from tests.support.event_loop_turns import counted


@pytest.mark.parametrize("count", [0, 1, TURN_TEXTS, TURN_TEXTS + 1, 3 * TURN_TEXTS])
def test_an_answer_of_any_length_is_valid_json(count):
    rows = [{"label": "caf\u00e9", "score": place / 7} for place in range(count)]
    for answer in (rows, {"model": {"name": 'a"b'}, "results": rows, "errors": [1], "none": None}):
        assert asyncio.run(to_json(answer)) == pydantic_core.to_json(answer)


async def test_only_a_long_answer_is_serialized_in_several_turns():
    async with counted() as turns:
        await to_json({"results": ["a"] * TURN_TEXTS})
        assert turns.count == 0
        await to_json({"results": ["a"] * (10 * TURN_TEXTS)})
        assert turns.count == 10


@pytest.mark.parametrize("count", [0, 1, TURN_TEXTS, TURN_TEXTS + 1, 40 * TURN_TEXTS])
@pytest.mark.parametrize("results", [1, TURN_TEXTS, 3 * TURN_TEXTS + 1])
async def test_a_nested_answer_of_any_length_is_valid_json(count, results):
    tokens = [{"start": place, "text": 'a"b'} for place in range(count)]
    plain = {"label": "caf\u00e9", "scores": [{"score": 0.5}], "usage": {"tokens": count}}
    long = plain | {"explanation": {"sum": 1.5, "tokens": tokens}, "sentences": tokens, "more": []}
    answer = {"results": [plain, long, None] * results, "units": [0.5] * count, "none": None}
    assert await to_nested_json(answer, Turns()) == pydantic_core.to_json(answer)


async def test_one_long_result_is_serialized_in_several_turns():
    answer = {"results": [{"explanation": {"tokens": [{"start": 1}] * 50_000}}]}
    async with counted() as turns:
        await to_nested_json(answer, Turns())
        assert turns.count > 1_000
    with pytest.raises(DeadlineExceeded):
        await to_nested_json(answer, Turns(time.perf_counter()))
