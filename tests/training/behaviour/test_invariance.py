from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from valence.training.behaviour.invariance import (
    MAX_TEXTS,
    PerturbedText,
    apply_perturbation,
    find_label_changes,
    perturb_texts,
)
from valence.training.behaviour.model_under_test import ModelUnderTest
from valence.training.behaviour.perturbations import PERTURBATIONS


def shouting(texts: Sequence[str]) -> np.ndarray:
    """Give the second label, with high confidence, to texts with capitals."""
    return np.array([[0.1, 0.9] if text != text.lower() else [0.9, 0.1] for text in texts])


def test_unchanged_texts_are_left_out_and_indices_are_kept() -> None:
    found = apply_perturbation(["low", "High", "low"], PERTURBATIONS["lower case"], seed=0)
    assert found == [PerturbedText(1, "high")]


def test_rewritings_depend_on_the_seed() -> None:
    texts = ["a wordy thing", "another thing here"] * 20
    first, same, other = (
        apply_perturbation(texts, PERTURBATIONS["typo"], seed=seed) for seed in (3, 3, 4)
    )
    assert first == same != other


def test_a_rewriting_that_changes_nothing_is_left_out() -> None:
    assert perturb_texts(["ok"]).keys() == {"closing punctuation", "emoji without feeling"}
    assert perturb_texts([]) == {}


def test_a_limited_number_of_texts_is_spread_over_all() -> None:
    """At the limit all texts are taken."""
    every = [f"Text {number}" for number in range(MAX_TEXTS + 1)]
    all_of_them = perturb_texts(every[:-1])["lower case"]
    assert [pair.position for pair in all_of_them] == list(range(MAX_TEXTS))
    spread = [pair.position for pair in perturb_texts(every * 3)["lower case"]]
    assert len(set(spread)) == MAX_TEXTS
    assert spread == sorted(spread)
    assert (spread[0], spread[-1]) == (0, 3 * MAX_TEXTS + 2)


def test_a_lost_label_is_a_change_of_the_same_text() -> None:
    """Each rewritten text is compared with its original."""
    texts = ["low", "High", "LOUD"]
    subject = ModelUnderTest(("calm", "loud"), shouting)
    given = subject.predict_labels(texts)
    pairs = [PerturbedText(1, "high"), PerturbedText(2, "Loud")]
    assert find_label_changes(subject, given, pairs).tolist() == [True, False]


def test_any_gained_or_lost_label_is_a_change() -> None:
    subject = ModelUnderTest(("calm", "loud"), shouting, thresholds=(0.05, 0.5))
    texts = ["High", "LOUD"]
    assert subject.predict_labels(texts).all()
    changed = find_label_changes(subject, subject.predict_labels(texts), [PerturbedText(0, "high")])
    assert changed.tolist() == [True]
