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
from valence.training.behaviour.model_under_test import Subject
from valence.training.behaviour.rewriting import REWRITES


def shouting(texts: Sequence[str]) -> np.ndarray:
    """Give the second label, with high confidence, to texts with capitals."""
    return np.array([[0.1, 0.9] if text != text.lower() else [0.9, 0.1] for text in texts])


def test_unchanged_texts_are_left_out_and_indices_are_kept() -> None:
    found = rewritten(["low", "High", "low"], REWRITES["lower case"], seed=0)
    assert found == [Rewritten(1, "high")]


def test_rewritings_depend_on_the_seed() -> None:
    texts = ["a wordy thing", "another thing here"] * 20
    first, same, other = (rewritten(texts, REWRITES["typo"], seed=seed) for seed in (3, 3, 4))
    assert first == same != other


def test_a_rewriting_that_changes_nothing_is_left_out() -> None:
    assert rewritings(["ok"]).keys() == {"closing punctuation", "emoji without feeling"}
    assert rewritings([]) == {}


def test_a_limited_number_of_texts_is_spread_over_all() -> None:
    """At the limit all texts are taken."""
    every = [f"Text {number}" for number in range(MOST_TEXTS + 1)]
    all_of_them = rewritings(every[:-1])["lower case"]
    assert [pair.place for pair in all_of_them] == list(range(MOST_TEXTS))
    spread = [pair.place for pair in rewritings(every * 3)["lower case"]]
    assert len(set(spread)) == MOST_TEXTS
    assert spread == sorted(spread)
    assert (spread[0], spread[-1]) == (0, 3 * MOST_TEXTS + 2)


def test_a_lost_label_is_a_change_of_the_same_text() -> None:
    """Each rewritten text is compared with its original."""
    texts = ["low", "High", "LOUD"]
    subject = Subject(("calm", "loud"), shouting)
    given = subject.given(texts)
    pairs = [Rewritten(1, "high"), Rewritten(2, "Loud")]
    assert label_changes(subject, given, pairs).tolist() == [True, False]


def test_any_gained_or_lost_label_is_a_change() -> None:
    subject = Subject(("calm", "loud"), shouting, thresholds=(0.05, 0.5))
    texts = ["High", "LOUD"]
    assert subject.given(texts).all()
    changed = label_changes(subject, subject.given(texts), [Rewritten(0, "high")])
    assert changed.tolist() == [True]
