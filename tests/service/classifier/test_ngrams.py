from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from valence.service.classifier import ngrams
from valence.service.classifier.ngrams import NGramTable
from valence.service.errors import ArtifactError

SIZE = 6
WORDS = [(1,), (2,), (3,), (5,), (1, 2), (2, 3), (2, 2), (1, 2, 3), (2, 2, 2)]
LABELS = 3


def make_tensors(
    words: Sequence[tuple[int, ...]] = WORDS, *, scaled: bool = True
) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(0)
    padded = [(*one, 0, 0, 0)[:3] for one in words]
    scales = random.uniform(0.5, 3.0, len(words)) if scaled else np.zeros(len(words))
    return {
        "ngrams.words": np.array(padded, dtype=np.float32),
        "ngrams.scales": scales.astype(np.float32),
        "ngrams.weights": random.normal(size=(len(words), LABELS)).astype(np.float32),
    }


def score_by_definition(
    tensors: dict[str, NDArray[np.float32]], ids: Sequence[int]
) -> NDArray[np.float64]:
    """Return the logits of a text, n-gram by n-gram."""
    found = {
        row
        for row, words in enumerate(WORDS)
        for start in range(len(ids))
        if tuple(ids[start : start + len(words)]) == words
    }
    rows = sorted(found)
    total = tensors["ngrams.weights"][rows].astype(np.float64).sum(axis=0)
    length = float(np.sqrt((tensors["ngrams.scales"][rows].astype(np.float64) ** 2).sum()))
    return total / length if length else total


texts = st.lists(st.lists(st.integers(0, SIZE - 1), max_size=12), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(documents=texts, scaled=st.booleans())
def test_logits_are_those_of_the_definition(documents: list[list[int]], scaled: bool) -> None:
    tensors = make_tensors(scaled=scaled)
    table = NGramTable(tensors, vocabulary_size=SIZE)
    logits = table.logits([np.array(ids, dtype=np.int32) for ids in documents])
    assert logits.dtype == np.float32
    expected = [score_by_definition(tensors, ids) for ids in documents]
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(ids=st.lists(st.integers(0, SIZE - 1), max_size=12), label=st.integers(0, LABELS - 1))
def test_contributions_sum_to_the_logit(ids: list[int], label: int) -> None:
    tensors = make_tensors()
    table = NGramTable(tensors, vocabulary_size=SIZE)
    parts = table.contributions(np.array(ids, dtype=np.int32), label)
    assert len(parts) == len(ids)
    assert parts.sum() == pytest.approx(score_by_definition(tensors, ids)[label], abs=1e-5)
    assert not parts[np.array(ids) == 0].any()  # an unknown word adds nothing


def test_an_ngram_belongs_equally_to_its_words_and_places() -> None:
    tensors = make_tensors(scaled=False)
    table = NGramTable(tensors, vocabulary_size=SIZE)
    one, two, pair = tensors["ngrams.weights"][[0, 1, 4], 0].tolist()
    parts = table.contributions(np.array([1, 2, 0, 1, 2], dtype=np.int32), 0)
    np.testing.assert_allclose(parts[0], one / 2 + pair / 4, atol=1e-6)
    np.testing.assert_allclose(parts[[0, 1]], parts[[3, 4]])
    np.testing.assert_allclose(parts[1], two / 2 + pair / 4, atol=1e-6)


def test_a_text_is_the_same_alone_and_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    table = NGramTable(make_tensors(), vocabulary_size=SIZE)
    random = np.random.default_rng(1)
    documents = [random.integers(0, SIZE, length, dtype=np.int32) for length in (3, 0, 9, 1, 20)]
    together = table.logits(documents)
    monkeypatch.setattr(ngrams, "_GROUP_NUMBERS", 9 * 10)  # groups of ten tokens
    np.testing.assert_array_equal(table.logits(documents), together)
    for document, row in zip(documents, together, strict=True):
        np.testing.assert_allclose(table.logits([document])[0], row, atol=1e-6)


def test_no_documents_have_no_logits() -> None:
    assert NGramTable(make_tensors(), vocabulary_size=SIZE).logits([]).shape == (0, LABELS)


@pytest.mark.parametrize("ids", [[0, SIZE], [-1, 2]])
def test_an_id_outside_the_vocabulary_is_refused(ids: list[int]) -> None:
    with pytest.raises(ValueError, match="the vocabulary has 0 to 5"):
        NGramTable(make_tensors(), vocabulary_size=SIZE).logits([np.array(ids, dtype=np.int32)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([(1,), (2,), (2,)], "twice"),
        ([(1,), (SIZE,)], "ids of known words"),
        ([(1,), (0, 1)], "ids of known words"),
        ([(1,), ()], "ids of known words"),
        ([(1,), (2, 1)], "2 words whose first 1 are no n-gram"),
        ([(1,), (2,), (1, 2), (2, 1, 1)], "3 words whose first 2 are no n-gram"),
    ],
)
def test_faulty_ngrams_are_refused(words: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        NGramTable(make_tensors(words), vocabulary_size=SIZE)


def test_parts_of_ids_and_negative_scales_are_refused() -> None:
    half = make_tensors()
    half["ngrams.words"][0, 0] = 1.5
    with pytest.raises(ArtifactError, match="ids of known words"):
        NGramTable(half, vocabulary_size=SIZE)
    negative = make_tensors()
    negative["ngrams.scales"][2] = -1.0
    with pytest.raises(ArtifactError, match="not above 0"):
        NGramTable(negative, vocabulary_size=SIZE)
