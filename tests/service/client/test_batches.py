from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.service.client.batches import Batch, Room, cut_batches, encode_texts
from valence.service.errors import InvalidTexts

OPTIONS = {"model": "topic", "top_k": 1}
UNICODE = st.text(st.characters(exclude_categories=("Cs",)))


@given(st.lists(UNICODE), st.integers(1, 5), st.integers(150, 400), st.sampled_from([{}, OPTIONS]))
def test_batches_hold_all_texts_and_fit(texts, count, size, options):
    batches = list(cut_batches(encode_texts(iter(texts)), options, Room(count, size)))
    bodies = [json.loads(batch.encode(options)) for batch in batches]
    assert list(itertools.chain.from_iterable(body.pop("texts") for body in bodies)) == texts
    assert all(body == options for body in bodies)
    assert [batch.start for batch in batches] == [
        sum(len(one.texts) for one in batches[:index]) for index in range(len(batches))
    ]
    for batch in batches:
        assert len(batch.texts) <= count
        assert len(batch.encode(options)) <= size or len(batch.texts) == 1


def test_texts_are_read_as_batches_are_asked_for():
    """A stream may have more texts than memory."""
    read = []
    texts = (read.append(number) or "text" for number in itertools.count())
    batches = cut_batches(encode_texts(texts), {}, Room(10, 10_000))
    next(batches)
    assert len(read) == 10


def test_halves_are_in_order():
    one, two = Batch(7, [b'"a"', b'"b"', b'"c"']).halve()
    assert (one, two) == (Batch(7, [b'"a"']), Batch(8, [b'"b"', b'"c"']))


def test_half_of_a_character_is_refused_by_its_row():
    with pytest.raises(InvalidTexts, match=r"row 1 .*half of a character") as refused:
        list(encode_texts(iter(["good", "secret \ud800"])))
    assert "secret" not in str(refused.value)
