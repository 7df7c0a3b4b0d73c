from __future__ import annotations

import numpy as np
import pytest

from training.distillation.augmentation import vary
from training.distillation.neighbours import Neighbours
from training.folding import fold
from training.vectors.table import Table

# two words past those that are taken for function words
TABLE = Table(
    {word: row for row, word in enumerate([*map(str, range(200)), "film", "movie"])},
    np.ones((202, 2), dtype=np.float32),
)
TEXTS = ["The film was great in the end.", "A dreadful meal!", "Boring", "So it goes, as they say."]


def test_the_same_seed_gives_the_same_and_fewer_copies_are_the_first_of_more() -> None:
    made = list(vary(TEXTS, copies=3, seed=1))
    assert made == list(vary(TEXTS, copies=3, seed=1))
    assert made != list(vary(TEXTS, copies=3, seed=2))
    fewer = list(vary(TEXTS, copies=1, seed=1))
    assert fewer == made[: len(fewer)]
    assert list(vary(TEXTS, copies=0, seed=1)) == []


def test_none_is_empty_or_comes_twice_or_is_a_copy_of_a_text_or_of_one_to_be_spared() -> None:
    spared = next(vary(TEXTS, copies=1, seed=0)).text
    made = [one.text for one in vary(TEXTS, copies=50, seed=0, without=[spared.upper() + "!"])]
    folded = [fold(text) for text in made]
    assert len(made) > 50
    assert all(folded)
    assert len(set(folded)) == len(folded)
    assert not {fold(text) for text in (*TEXTS, spared)} & set(folded)


def test_words_are_left_out_and_replaced_and_a_quarter_of_the_texts_is_cut_short() -> None:
    texts = [" ".join(f"w{row}x{place}" for place in range(50)) for row in range(800)]
    made = list(vary(texts, copies=1, seed=0))
    own = [
        [word for word in one.text.split() if word.startswith(f"w{one.origin}x")] for one in made
    ]
    words = [len(one.text.split()) for one in made]
    short = [count <= 5 for count in words]
    assert sum(short) / len(made) == pytest.approx(0.25, abs=0.05)
    long = [place for place, is_short in enumerate(short) if not is_short]
    assert sum(words[place] for place in long) / (50 * len(long)) == pytest.approx(0.9, abs=0.01)
    assert sum(len(own[place]) for place in long) / (50 * len(long)) == pytest.approx(0.8, abs=0.01)
    in_order = [sorted(kept, key=lambda word: int(word.partition("x")[2])) == kept for kept in own]
    # but where a word was replaced by one of the same text
    assert sum(in_order) > 0.98 * len(own)


def test_a_text_without_words_gives_nothing() -> None:
    assert list(vary(["", " "], copies=3, seed=0)) == []


def test_words_are_replaced_by_near_ones_and_no_text_is_cut_short() -> None:
    near = Neighbours(["film"], TABLE)
    texts = [f"{place} film" + " film" * 48 for place in range(400)]
    made = list(vary(texts, copies=1, seed=0, neighbours=near))
    words = [word for one in made for word in one.text.split() if not word.isdecimal()]
    assert set(words) == {"film", "movie"}
    assert words.count("movie") / len(words) == pytest.approx(0.25 / 0.95, abs=0.01)
    assert len(words) / (49 * len(made)) == pytest.approx(0.95, abs=0.01)
    assert min(len(one.text.split()) for one in made) > 30
