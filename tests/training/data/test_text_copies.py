from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from valence.training.behaviour.lexicon import list_judged_words
from valence.training.config.schema import Distillation
from valence.training.corpora.example import Example
from valence.training.corpora.normal_form import normal_form
from valence.training.data import text_copies
from valence.training.data.near_words import Neighbours
from valence.training.data.split import split_by_hash
from valence.training.embeddings.table import VectorTable
from valence.training.runtime.progress import Reporter

WORDS = ("film", "movie", "great", "meal", "dreadful", "boring", "goes")


def augment(texts, neighbours, *, excluded=(), **settings):
    given, apart = ([Example(text, "", "") for text in part] for part in (texts, excluded))
    return text_copies.augment(given, neighbours, excluded=apart, **settings)


TEXTS = ["The film was great in the end.", "A dreadful meal!", "Boring", "So it goes, as they say."]


def equally_near(*words: str) -> Neighbours:
    """Return words with equal distances, placed after those that count as function words."""
    rows = {word: row for row, word in enumerate([*map(str, range(200)), *words])}
    return Neighbours(words, VectorTable(rows, np.ones((len(rows), 2), dtype=np.float32)))


@pytest.fixture(scope="module")
def near() -> Neighbours:
    return equally_near(*WORDS)


def test_copies_depend_on_the_seed_and_fewer_are_a_prefix(
    near: Neighbours,
) -> None:
    made = list(augment(TEXTS, near, copies=3, seed=1))
    assert made == list(augment(TEXTS, near, copies=3, seed=1))
    assert made != list(augment(TEXTS, near, copies=3, seed=2))
    fewer = list(augment(TEXTS, near, copies=1, seed=1))
    assert fewer == made[: len(fewer)]
    assert list(augment(TEXTS, near, copies=0, seed=1)) == []


def test_copies_are_new_unique_and_not_empty(
    near: Neighbours,
) -> None:
    """A copy equals neither a text nor one of the texts to avoid."""
    spared = next(augment(TEXTS, near, copies=1, seed=0))
    excluded = [spared.upper() + "!"]
    made = list(augment(TEXTS, near, copies=50, seed=0, excluded=excluded))
    folded = [normal_form(text) for text in made]
    assert len(made) > 50
    assert all(folded)
    assert len(set(folded)) == len(folded)
    assert not {normal_form(text) for text in (*TEXTS, spared)} & set(folded)


def test_a_text_without_words_gives_no_copies(near: Neighbours) -> None:
    assert list(augment(["", " "], near, copies=3, seed=0)) == []


def test_words_are_replaced_by_near_ones_and_texts_stay_whole() -> None:
    texts = [f"{place} film" + " film" * 48 for place in range(400)]
    made = list(augment(texts, equally_near("film", "movie"), copies=1, seed=0))
    words = [word for one in made for word in one.split() if not word.isdecimal()]
    assert set(words) == {"film", "movie"}
    assert words.count("movie") / len(words) == pytest.approx(0.25 / 0.95, abs=0.01)
    assert len(words) / (49 * len(made)) == pytest.approx(0.95, abs=0.01)
    assert min(len(one.split()) for one in made) > 30


def test_unchanged_words_stay_in_their_order(near: Neighbours) -> None:
    text = " ".join(f"{place}." for place in range(300))
    [made] = augment([text], near, copies=1, seed=0)
    kept = [int(float(word)) for word in made.split()]
    assert kept == sorted(kept)
    assert 250 < len(kept) < 300


def test_copies_of_counterfactuals_get_no_judged_word(
    examples: list[Example],
    silent: type[Reporter],
    tmp_path: Path,
    publish_glove: Callable[..., None],
) -> None:
    judged = sorted(list_judged_words())
    words = [*(f"w{row}" for row in range(200)), *judged, "crew"]
    publish_glove(tmp_path, words, np.ones((len(words), 2), dtype=np.float32))
    splits = split_by_hash(examples)
    many = [Example(f"crew {place} crew crew crew", "neutral", "toy") for place in range(200)]

    def make(counterfactuals: list[Example]) -> set[str]:
        made = text_copies.make_augmented_texts(
            Distillation(copies=1), splits, counterfactuals, cache=tmp_path, reporter=silent()
        )
        return {word for text in made for word in text.split()}

    added = make(many) - make([])
    assert "crew" in added
    assert not added & set(judged)
    # the same words are near enough for copies of other texts
    replaced = text_copies.augment(many, equally_near("crew", *judged), copies=1, seed=0)
    assert {word for text in replaced for word in text.split()} & set(judged)


def test_copies_avoid_held_out_texts_and_use_near_words(
    examples: list[Example],
    silent: type[Reporter],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    publish_glove: Callable[..., None],
) -> None:
    splits = split_by_hash(examples)
    asked: list[tuple[Neighbours, dict[str, Any]]] = []
    monkeypatch.setattr(
        text_copies, "augment", lambda _, near, **rest: asked.append((near, rest)) or ()
    )
    words = [*map(str, range(200)), "the", "film"]
    publish_glove(tmp_path, words, np.ones((202, 2), dtype=np.float32))
    settings = Distillation(copies=2, seed=3)
    text_copies.make_augmented_texts(settings, splits, cache=tmp_path, reporter=silent())
    [(near, rest)] = asked
    assert rest["excluded"] == (*splits.dev, *splits.test)
    assert (rest["copies"], rest["seed"]) == (2, 3)
    assert near.replace("film", 0.5) == "the"
    for none in (None, Distillation(copies=0)):
        assert (
            text_copies.make_augmented_texts(none, splits, cache=tmp_path, reporter=silent()) == ()
        )
    assert len(asked) == 1
