from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.training.char_lm.alphabet import UNKNOWN, Alphabet


def test_rare_characters_map_to_the_first_character() -> None:
    alphabet = Alphabet.from_text("aabbbc", minimum_count=2)
    assert alphabet.characters == (UNKNOWN, "a", "b")
    assert alphabet.encode("abc!").tolist() == [1, 2, 0, 0]
    assert alphabet.decode([1, 2, 0]) == f"ab{UNKNOWN}"


def test_the_character_for_others_is_not_counted_in_the_text() -> None:
    assert Alphabet.from_text(f"{UNKNOWN * 9}a", minimum_count=1).characters == (UNKNOWN, "a")


@given(st.text())
def test_known_text_survives_a_round_trip(text: str) -> None:
    alphabet = Alphabet.from_text(text, minimum_count=1)
    assert alphabet.decode(alphabet.encode(text)) == text


@pytest.mark.parametrize("characters", [(), ("a",), (UNKNOWN, "a", "a"), (UNKNOWN, "ab")])
def test_an_invalid_alphabet_is_refused(characters: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="alphabet"):
        Alphabet(characters)
