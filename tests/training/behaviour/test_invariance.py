from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from valence.training.behaviour.invariance import (
    MOST_TEXTS,
    Rewritten,
    label_changes,
    rewritings,
    rewritten,
)
from valence.training.behaviour.rewriting import REWRITES
from valence.training.behaviour.subject import Subject


def shouting(texts: Sequence[str]) -> np.ndarray:
    """Sure of the second label where a text has capitals."""
    return np.array([[0.1, 0.9] if text != text.lower() else [0.9, 0.1] for text in texts])


def test_texts_that_stay_as_they_are_are_left_out_and_places_are_kept() -> None:
    found = rewritten(["low", "High", "low"], REWRITES["lower case"], seed=0)
    assert found == [Rewritten(1, "high")]


def test_the_same_seed_rewrites_alike_and_another_does_not() -> None:
    texts = ["a wordy thing", "another thing here"] * 20
    first, same, other = (rewritten(texts, REWRITES["typo"], seed=seed) for seed in (3, 3, 4))
    assert first == same != other


def test_a_rewriting_that_changes_nothing_is_left_out() -> None:
    assert rewritings(["ok"]).keys() == {"closing punctuation", "emoji without feeling"}
    assert rewritings([]) == {}


def test_of_many_texts_a_spread_is_taken_and_of_as_many_as_allowed_all() -> None:
    every = [f"Text {number}" for number in range(MOST_TEXTS + 1)]
    all_of_them = rewritings(every[:-1])["lower case"]
    assert [pair.place for pair in all_of_them] == list(range(MOST_TEXTS))
    spread = [pair.place for pair in rewritings(every * 3)["lower case"]]
    assert len(set(spread)) == MOST_TEXTS
    assert spread == sorted(spread)
    assert (spread[0], spread[-1]) == (0, 3 * MOST_TEXTS + 2)


def test_a_label_that_is_given_no_more_is_a_change_and_each_text_is_compared_with_itself() -> None:
    texts = ["low", "High", "LOUD"]
    subject = Subject(("calm", "loud"), shouting)
    given = subject.given(texts)
    pairs = [Rewritten(1, "high"), Rewritten(2, "Loud")]
    assert label_changes(subject, given, pairs).tolist() == [True, False]


def test_of_several_labels_any_that_comes_or_goes_is_a_change() -> None:
    subject = Subject(("calm", "loud"), shouting, thresholds=(0.05, 0.5))
    texts = ["High", "LOUD"]
    assert subject.given(texts).all()
    changed = label_changes(subject, subject.given(texts), [Rewritten(0, "high")])
    assert changed.tolist() == [True]
