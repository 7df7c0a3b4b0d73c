import asyncio

import pydantic_core
import pytest
from valence.service.api.http.scoring import TURN_TEXTS, to_json

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
