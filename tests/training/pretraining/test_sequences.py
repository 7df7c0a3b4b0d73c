from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.classifier.vocabulary import Vocabulary
from training.pretraining.sequences import Sequences

WORDS = Vocabulary(("<unk>", "a", "b", "c"))


def text(length: int) -> str:
    return " ".join("abc"[step % 3] for step in range(length))


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(2, 12))
def test_all_words_are_read_in_parts_of_nearly_one_length(lengths: list[int], longest: int) -> None:
    read = Sequences(map(text, lengths), WORDS, longest=longest)
    wanted = [length for length in lengths if length > 1]
    assert read.tokens == sum(wanted)
    assert all(1 <= length <= longest for length in read.lengths)
    found = iter(range(len(read)))
    for length in wanted:
        parts: list[list[int]] = []
        while sum(map(len, parts)) < length:
            batch = read.batch(np.array([next(found)]))
            parts.append(batch.ids[0].tolist())
        assert [word for part in parts for word in part] == [1 + s % 3 for s in range(length)]
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert len(parts) == -(-length // longest)
    assert next(found, None) is None


def test_a_batch_is_padded_and_tells_how_large_the_whole_is() -> None:
    read = Sequences([text(5), text(2), text(4)], WORDS, longest=9)
    rows = np.array([0, 1, 2])
    batch = read.batch(rows, slice(1, None, 2))
    assert batch.ids.tolist() == [[1, 2]]
    assert batch.lengths.tolist() == [2]
    assert batch.whole == (3, 5)
    assert read.batch(rows).ids.tolist() == [[1, 2, 3, 1, 2], [1, 2, 0, 0, 0], [1, 2, 3, 1, 0]]
    assert read.predicted(rows) == 4 + 1 + 3
    assert read.batch(rows, slice(3, None)).ids.shape[0] == 0


def test_words_are_counted_by_their_ids() -> None:
    read = Sequences(["a b", "b zzz b"], WORDS, longest=9)
    assert read.counts(4).tolist() == [1, 1, 3, 0]
