from __future__ import annotations

import random

from valence.training.counterfactuals import faces
from valence.training.counterfactuals.faces import decorate
from valence.training.counterfactuals.sides import Counterfactual, Shares

NEUTRAL: Shares = (0.0, 1.0, 0.0)


def decorate_often(text: str, shares: Shares) -> list[Counterfactual]:
    chance = random.Random(0)
    return [copy for _ in range(100) for copy in decorate(text, shares, chance)]


def has_one_of(text: str, emoji: tuple[str, ...]) -> bool:
    return any(one in text for one in emoji)


def test_a_face_moves_the_target_and_a_thing_does_not() -> None:
    made = decorate_often("They met at noon.", NEUTRAL)
    for text, (negative, _, positive) in made:
        if has_one_of(text, faces.HAPPY):
            assert positive > 0.5 > negative
        elif has_one_of(text, faces.UNHAPPY):
            assert negative > 0.5 > positive
        else:
            assert has_one_of(text, faces.PLAIN)
            assert (negative, positive) == (0.0, 0.0)
    assert {has_one_of(text, faces.HAPPY) for text, _ in made} == {True, False}
    assert "They met at noon." in made[0].text


def test_irony_is_left_out() -> None:
    made = decorate_often("They were late.", (1.0, 0.0, 0.0))
    assert not any(has_one_of(text, faces.HAPPY) and "late" in text for text, _ in made)
    assert any(has_one_of(text, faces.UNHAPPY) for text, _ in made)


def test_an_emoticon_becomes_an_emoji_of_the_same_feeling() -> None:
    swapped = {text for text, _ in decorate_often("late again :-( hm", (1.0, 0.0, 0.0))}
    assert any(f"late again {emoji} hm" in swapped for emoji in faces.UNHAPPY)
    assert not any(f"late again {emoji} hm" in swapped for emoji in faces.HAPPY)
