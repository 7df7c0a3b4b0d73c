from __future__ import annotations

import numpy as np
import pytest

from service.classifier.vocabulary import UNKNOWN_ID, Vocabulary
from service.errors import ArtifactError

WORDS = (
    "<unk>",
    "good",
    "so",
    "love",
    "#fun",
    "iphone",
    "<number>",
    "<url>",
    "<user>",
    "n't",
    "do",
)


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(WORDS)


def test_a_words_id_is_its_line(vocabulary: Vocabulary) -> None:
    assert [vocabulary.id(word) for word in ("good", "so", "love", "#fun")] == [1, 2, 3, 4]
    assert tuple(vocabulary) == vocabulary.words == WORDS
    assert len(vocabulary) == len(WORDS)
    assert "good" in vocabulary
    assert "GOOD" not in vocabulary  # words are normalized, surfaces are not
    assert vocabulary.id("GOOD") == 1


@pytest.mark.parametrize(
    ("surface", "word"),
    [
        ("SOOOO", "so"),
        ("#love", "love"),
        ("#Loooove", "love"),
        ("#fun", "#fun"),
        ("iPhone6", "iphone"),
        ("42", "<number>"),
        ("http://a.b", "<url>"),
        ("@someone", "<user>"),
        ("N’T", "n't"),
        ("fun", "<unk>"),
        ("xyzzy", "<unk>"),
        ("<unk>", "<unk>"),
        ("\ud800", "<unk>"),
    ],
)
def test_a_spelling_that_is_not_known_is_tried_in_other_ways(
    vocabulary: Vocabulary, surface: str, word: str
) -> None:
    assert vocabulary.words[vocabulary.id(surface)] == word


def test_a_known_word_is_taken_before_its_alternatives() -> None:
    vocabulary = Vocabulary(("<unk>", "love", "#love", "god", "good"))
    assert vocabulary.id("#love") == 2
    assert vocabulary.id("gooood") == 4


def test_encoding_cuts_at_max_tokens_and_counts_all_of_them(vocabulary: Vocabulary) -> None:
    text = "So good, don't xyzzy 42"
    ids, tokens = vocabulary.encode(text)
    assert ids.dtype == np.int32
    assert ids.tolist() == [2, 1, UNKNOWN_ID, 10, 9, UNKNOWN_ID, 6]
    assert tokens == 7
    for most in range(1, 9):
        cut, counted = vocabulary.encode(text, max_tokens=most)
        assert cut.tolist() == ids.tolist()[:most]
        assert counted == 7


def test_nothing_encodes_to_nothing(vocabulary: Vocabulary) -> None:
    ids, tokens = vocabulary.encode(" \n ")
    assert ids.shape == (0,)
    assert ids.dtype == np.int32
    assert tokens == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "first word of a vocabulary must be '<unk>'"),
        (["good"], "first word of a vocabulary must be '<unk>'"),
        (["<unk>", "good", "bad", "good"], "holds 'good' twice"),
        (["<unk>", ""], "must be one non-empty line, not ''"),
        (["<unk>", "a\nb"], r"must be one non-empty line, not 'a\\nb'"),
        (["<unk>", "a\rb"], r"must be one non-empty line, not 'a\\rb'"),
        (["<unk>", "\ud83d"], "half of a character"),
    ],
)
def test_what_a_file_of_lines_cannot_hold_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        Vocabulary(words)
