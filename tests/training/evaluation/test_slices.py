from __future__ import annotations

import numpy as np
import pytest
from valence.service.classifier.vocabulary import UNKNOWN, Vocabulary
from valence.training.corpora.example import Example
from valence.training.evaluation.slices import Slice, make_slices
from valence.training.metrics.definitions import LabelF1, MicroF1

VOCABULARY = Vocabulary([UNKNOWN, "good", "bad"])


def slices_of(examples: list[Example], *, labels: tuple[str, ...] = ("a", "b")) -> dict[str, Slice]:
    found = make_slices(examples, labels=labels, vocabulary=VOCABULARY)
    return {f"{part.kind}: {part.name}": part for part in found}


def test_a_text_is_in_a_slice_of_each_kind() -> None:
    """The kinds are corpus, label, length and share of unknown words."""
    found = slices_of([
        Example("good " * 20, "a", "one"),
        Example("good " * 19 + "strange", "a", "one"),
        Example("good " * 9 + "strange", "b", "two"),
        Example("strange bad", "b", "two"),
        Example("", "b", "two"),
    ])  # fmt: skip
    members = {name: np.flatnonzero(part.texts).tolist() for name, part in found.items()}
    assert members == {
        "corpus: one": [0, 1],
        "corpus: two": [2, 3, 4],
        "label: a": [0, 1],
        "label: b": [2, 3, 4],
        "length: 0 to 2 tokens": [3, 4],
        "length: 3 to 10 tokens": [2],
        "length: 11 to 20 tokens": [0, 1],
        "unknown words: none": [0, 4],
        "unknown words: to 5%": [1],
        "unknown words: 5% to 15%": [2],
        "unknown words: over 15%": [3],
    }
    assert found["corpus: two"].size == 3
    assert found["corpus: two"].scored is found["corpus: two"].texts
    assert isinstance(found["corpus: two"].metric, MicroF1)


def test_a_label_slice_is_judged_on_all_texts() -> None:
    """The classifier may give the label to any text."""
    part = slices_of([Example("good", "a", "one"), Example("bad", "b", "one")])["label: b"]
    assert part.metric == LabelF1(1)
    assert part.scored.all()
    assert part.size == 1


def test_a_text_is_in_the_slice_of_each_of_its_labels() -> None:
    """A text without labels is in no label slice."""
    texts = [Example("good", ("a", "b"), "one"), Example("bad", (), "one")]
    found = slices_of(texts, labels=("a", "b", "never"))
    assert found["label: a"].texts.tolist() == found["label: b"].texts.tolist() == [True, False]
    assert "label: never" not in found


@pytest.mark.parametrize("count", [1, 30])
def test_a_slice_with_all_texts_is_left_out(count: int) -> None:
    assert set(slices_of([Example("good bad", "a", "one")] * count)) == {"label: a"}


def test_length_slices_are_disjoint_quarters() -> None:
    found = slices_of([Example("good " * length, "a", "one") for length in range(1, 101)])
    quarters = [part for name, part in found.items() if name.startswith("length")]
    assert [part.size for part in quarters] == [25, 25, 25, 25]
    assert sum(part.texts.astype(int) for part in quarters).tolist() == [1] * 100
