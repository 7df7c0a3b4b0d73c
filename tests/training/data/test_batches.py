from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.corpora.example import Example
from valence.training.data.batches import EncodedTexts

VOCABULARY = Vocabulary(("<unk>", "a", "b", "c"))
LABELS = ("no", "yes")
LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=60)


def encode(lengths: list[int], *, max_tokens: int = 100, use_shares: bool = False) -> EncodedTexts:
    examples = [
        Example(" ".join("abc"[(row + i) % 3] for i in range(length)), LABELS[row % 2], "here")
        for row, length in enumerate(lengths)
    ]
    return EncodedTexts(
        examples, VOCABULARY, labels=LABELS, max_tokens=max_tokens, use_shares=use_shares
    )


@given(LENGTHS, st.integers(1, 200), st.one_of(st.none(), st.integers(0, 5)))
def test_a_plan_holds_every_text_once_within_the_budget(
    lengths: list[int], tokens: int, seed: int | None
) -> None:
    texts = encode(lengths)
    plan = texts.plan(tokens=tokens, seed=seed)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(lengths)))
    for rows in plan:
        longest = max(1, *(lengths[row] for row in rows.tolist()))
        assert len(rows) == 1 or len(rows) * longest <= tokens


@given(LENGTHS, st.integers(0, 100))
def test_a_batch_holds_its_texts_padded_with_zeros(lengths: list[int], seed: int) -> None:
    texts = encode(lengths)
    for rows in texts.plan(tokens=80, seed=seed):
        batch = texts.batch(rows)
        assert batch.ids.shape[1] >= 1
        for place, row in enumerate(rows.tolist()):
            ids = batch.ids[place].tolist()
            assert batch.lengths[place] == lengths[row]
            assert ids[: lengths[row]] == [1 + (row + i) % 3 for i in range(lengths[row])]
            assert not any(ids[lengths[row] :])
            assert batch.targets[place].tolist() == [float(row % 2 == 0), float(row % 2 == 1)]


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=6))
def test_joined_parts_equal_texts_encoded_together(parts: list[list[int]]) -> None:
    joined = EncodedTexts.joined([encode(lengths) for lengths in parts])
    assert joined.lengths.tolist() == [length for lengths in parts for length in lengths]
    batch = joined.batch(np.arange(len(joined)))
    alone = [encode(lengths) for lengths in parts if lengths]
    for texts in alone:
        for row in range(len(texts)):
            one = texts.batch(np.array([row]))
            length = int(one.lengths[0])
            place = int(sum(map(len, alone[: alone.index(texts)]))) + row
            assert torch.equal(batch.ids[place, :length], one.ids[0, :length])
            assert torch.equal(batch.targets[place], one.targets[0])
            assert joined.truth[place] == texts.truth[row]


def test_a_part_of_a_batch_knows_the_size_of_the_batch() -> None:
    texts = encode([5, 4, 3, 2])
    part = texts.batch(np.arange(4), slice(1, None, 2))
    assert part.lengths.tolist() == [4, 2]
    assert part.ids.shape == (2, 4)
    assert part.whole == (4, 5)
    nothing = texts.batch(np.arange(1), slice(1, None, 2))
    assert len(nothing.lengths) == 0
    assert nothing.whole == (1, 5)


def test_a_seed_determines_the_order() -> None:
    texts = encode([3, 1, 4, 1, 5, 9, 2, 6] * 9)

    def order(seed: int | None) -> list[list[int]]:
        return [rows.tolist() for rows in texts.plan(tokens=30, seed=seed)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(None) == order(None)


def test_without_a_seed_the_longest_texts_come_first() -> None:
    lengths = [3, 1, 4, 1, 5, 9, 2, 6]
    rows = np.concatenate(encode(lengths).plan(tokens=10))
    assert [lengths[row] for row in rows] == sorted(lengths, reverse=True)


def test_lengths_in_a_shuffled_batch_are_similar() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 3000).tolist()
    texts = encode(lengths)
    padded = sum(
        len(rows) * max(lengths[r] for r in rows) for rows in texts.plan(tokens=500, seed=1)
    )
    assert padded < 1.15 * texts.tokens


def test_texts_are_truncated_and_counted() -> None:
    texts = encode([5, 0, 200], max_tokens=100)
    assert len(texts) == 3
    assert texts.lengths.tolist() == [5, 0, 100]
    assert texts.tokens == 105
    assert texts.truth.tolist() == [0, 1, 0]
    assert texts.labels == LABELS


@pytest.mark.parametrize("use_shares", [True, False])
def test_targets_are_rater_shares_if_given_and_requested(use_shares: bool) -> None:
    examples = [
        Example("a", "yes", "here", {"yes": 0.75, "no": 0.25}),
        Example("b", "yes", "here", {"yes": 1.0}),
        Example("c", "no", "here"),
    ]
    texts = EncodedTexts(examples, VOCABULARY, labels=LABELS, max_tokens=9, use_shares=use_shares)
    first = [0.25, 0.75] if use_shares else [0.0, 1.0]
    assert texts.batch(np.arange(3)).targets.tolist() == [first, [0.0, 1.0], [1.0, 0.0]]
