from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from valence.service.classifier.spelling import SpellingIndex, _keys

WORDS = st.lists(st.text(alphabet="abc", min_size=1, max_size=7), unique=True, max_size=20)


def _is_one_edit_away(one: str, other: str) -> bool:
    """Try every edit with every letter of both words."""
    letters = sorted({*one, *other})
    places = range(len(one) + 1)
    return other in {
        *(one[:at] + one[at + 1 :] for at in places),
        *(one[:at] + letter + one[at:] for at in places for letter in letters),
        *(one[:at] + letter + one[at + 1 :] for at in places for letter in letters),
        *(one[:at] + one[at + 1] + one[at] + one[at + 2 :] for at in places[:-2]),
    }


@given(WORDS, st.text(alphabet="abcd", min_size=4, max_size=7))
def test_the_first_word_at_one_edit_is_found(words: list[str], word: str) -> None:
    words = [other for other in words if other != word]
    expected = next(
        (
            place
            for place, other in enumerate(words)
            if len(other) >= 3 and _is_one_edit_away(word, other)
        ),
        None,
    )
    assert SpellingIndex(words).find(word) == expected


def test_only_words_of_4_to_20_letters_are_looked_up() -> None:
    known = ["abc", "a" * 21, "a" * 22, "it's", "<url>", "abcd*"]
    index = SpellingIndex(known)
    assert index.find("abd") is None
    assert index.find("abcx") == 0
    assert index.find("a" * 20) == 1
    assert index.find("a" * 21 + "b") is None
    assert index.find("a" * 100_000) is None
    assert index.find("itss") is None
    assert index.find("itxs") is None
    assert index.find("abc*") is None
    assert index.find("") is None


def test_without_words_no_correction_is_found() -> None:
    assert SpellingIndex([]).find("good") is None


def test_the_index_takes_8_bytes_per_letter_of_its_words() -> None:
    index = SpellingIndex(["good", "movie"])
    assert index._keys.itemsize + index._owners.itemsize == 8
    assert len(index._keys) == len(index._owners) == (4 + 5 + 2) - 1


@given(st.text(min_size=3, max_size=21))
def test_the_index_holds_the_keys_used_for_lookup(word: str) -> None:
    index = SpellingIndex([word])
    assert set(index._keys.tolist()) == (set(_keys(word)) if word.isalpha() else set())


def test_a_word_that_only_shares_a_hash_key_is_not_found() -> None:
    other, word = "aiaiiea", "tnidomm"
    assert _keys(other)[0] == _keys(word)[0]
    assert SpellingIndex([other, "tnidom", "tnidommm"]).find(word) == 1
    assert SpellingIndex([other]).find(word) is None
