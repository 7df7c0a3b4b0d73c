from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.service.classifier.spelling import SpellingIndex
from valence.training.evaluation.typo_robustness import add_typo, add_typos, measure_stored_model
from valence.training.pipeline.training_run import Trained
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace


@given(st.from_regex(r"[a-zA-Z]{4,12}", fullmatch=True), st.integers(0, 1_000))
def test_every_typo_can_be_corrected(word: str, seed: int) -> None:
    wrong = add_typo(word, random.Random(seed))
    assert abs(len(wrong) - len(word)) <= 1
    if wrong != word and len(wrong) >= 4:
        assert SpellingIndex([word]).find(wrong) == 0


def test_a_tenth_of_the_words_gets_a_typo() -> None:
    """The rest of the text is unchanged."""
    chance = random.Random(0)
    text = "see http://example.com/longer @someone #hashtag wonderful stories 1234 u.s.a"
    hit = 0
    for _ in range(2_000):
        words = add_typos(text, chance).split(" ")
        assert words[1:4] == text.split(" ")[1:4]
        assert (words[0], words[6:]) == ("see", ["1234", "u.s.a"])
        hit += words != text.split(" ")
    # with three words, a typo occurs in three of ten texts; a typo may leave the word unchanged
    assert 0.2 < hit / 2_000 < 0.45


def test_texts_without_long_words_are_unchanged() -> None:
    for text in ("", "to be or not to be, so it is, " * 9, "\u0444\u0438\u043b\u044c\u043c 12345"):
        assert add_typos(text, random.Random(1)) == text


def test_the_cost_of_typos_is_measured_on_dev_texts(
    stored: tuple[Trained, Workspace], silent: type[Reporter]
) -> None:
    made, workspace = stored
    found, again = (
        measure_stored_model(made.tag, engine="auto", run=Run(workspace, silent()))
        for _ in range(2)
    )
    assert found == again
    assert found.texts == made.manifest.training.splits["dev"]
    assert found.macro_f1 == pytest.approx(made.evaluations["dev"].macro_f1, abs=1e-6)
    assert found.unknown_with_typos > found.unknown
    assert found.points == pytest.approx(100 * (found.macro_f1 - found.with_typos))
