from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from valence.service.classifier.vocabulary import UNKNOWN_ID, Vocabulary
from valence.service.errors import ArtifactError

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


def test_the_id_of_a_word_is_its_line_number(vocabulary: Vocabulary) -> None:
    assert [vocabulary.id(word) for word in ("good", "so", "love", "#fun")] == [1, 2, 3, 4]
    assert tuple(vocabulary) == vocabulary.words == WORDS
    assert len(vocabulary) == len(WORDS)
    assert "good" in vocabulary
    assert "GOOD" not in vocabulary  # it holds normalized words, not surface forms
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
def test_alternatives_of_an_unknown_spelling_are_tried(
    vocabulary: Vocabulary, surface: str, word: str
) -> None:
    assert vocabulary.words[vocabulary.id(surface)] == word


def test_a_known_number_is_read_as_itself() -> None:
    """Any other number is read as the word for numbers."""
    vocabulary = Vocabulary(("<unk>", "10", "<number>", "1980s"))
    assert vocabulary.encode("10 7 1980S 10.0").ids.tolist() == [1, 2, 3, 2]
    assert vocabulary.knows("10")
    # without a word for other numbers they are unknown
    assert Vocabulary(("<unk>", "10")).encode("10 7").ids.tolist() == [1, UNKNOWN_ID]


def test_a_known_word_wins_over_its_alternatives() -> None:
    vocabulary = Vocabulary(("<unk>", "love", "#love", "god", "good"))
    assert vocabulary.id("#love") == 2
    assert vocabulary.id("gooood") == 4


def test_encoding_cuts_at_max_tokens_and_counts_all_tokens(vocabulary: Vocabulary) -> None:
    text = "So good, don't xyzzy 42"
    ids, known, tokens = vocabulary.encode(text)
    assert ids.dtype == np.int32
    assert ids.tolist() == [2, 1, UNKNOWN_ID, 10, 9, UNKNOWN_ID, 6]
    assert known.tolist() == [True, True, False, True, True, False, True]
    assert tokens == 7
    for most in range(1, 9):
        cut, marks, counted = vocabulary.encode(text, max_tokens=most)
        assert cut.tolist() == ids.tolist()[:most]
        assert marks.tolist() == known.tolist()[:most]
        assert counted == 7


def test_an_empty_text_encodes_to_no_tokens(vocabulary: Vocabulary) -> None:
    ids, known, tokens = vocabulary.encode(" \n ")
    assert ids.shape == known.shape == (0,)
    assert ids.dtype == np.int32
    assert tokens == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "first word of a vocabulary must be '<unk>'"),
        (["good"], "first word of a vocabulary must be '<unk>'"),
        (["<unk>", "good", "bad", "good"], "has 'good' twice"),
        (["<unk>", ""], "must be one non-empty line, not ''"),
        (["<unk>", "a\nb"], r"must be one non-empty line, not 'a\\nb'"),
        (["<unk>", "a\rb"], r"must be one non-empty line, not 'a\\rb'"),
        (["<unk>", "\ud83d"], "half of a character"),
    ],
)
def test_words_that_cannot_be_lines_of_a_file_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        Vocabulary(words)


@pytest.mark.parametrize(
    ("surface", "word"),
    [
        ("excelent", "excellent"),  # one letter is missing
        ("exccellent", "excellent"),  # one letter is added
        ("excellemt", "excellent"),  # one letter is replaced
        ("xecellent", "excellent"),  # two letters are swapped
        ("EXCELLNET", "excellent"),
        ("eexclelent", "<unk>"),  # two edits
        ("#excelent", "<unk>"),  # a hashtag is a name
        ("mvie2", "<unk>"),
        ("lov", "<unk>"),  # too short to correct
        ("loev", "love"),
        ("ther", "the"),
        ("\u0444\u0438\u043b\u044c\u043c\u044b", "\u0444\u0438\u043b\u044c\u043c"),
    ],
)
def test_a_misspelled_word_is_corrected_but_not_known(surface: str, word: str) -> None:
    words = ("<unk>", "the", "love", "excellent", "\u0444\u0438\u043b\u044c\u043c")
    exact, vocabulary = Vocabulary(words), Vocabulary(words, misspelled="nearest")
    assert vocabulary.words[vocabulary.id(surface)] == word
    ids, known, _ = vocabulary.encode(f"the {surface} love")
    assert ids.tolist() == [1, vocabulary.id(surface), 2]
    assert known.tolist() == [True, False, True]
    assert not vocabulary.knows(surface)
    assert exact.id(surface) == UNKNOWN_ID


def test_spelling_variants_win_over_corrections() -> None:
    """Known words are read as they are."""
    vocabulary = Vocabulary(("<unk>", "good", "god", "goods", "loved"), misspelled="nearest")
    for word in vocabulary.words[1:]:
        assert vocabulary.words[vocabulary.id(word)] == word
        assert vocabulary.knows(word)
    assert vocabulary.knows("#Loooved")


def test_unread_tokens_are_counted() -> None:
    vocabulary = Vocabulary(("<unk>", "good", "do", "n't"), misspelled="nearest")
    text = "good don't goood gopd, " * 40
    whole = vocabulary.encode(text)
    assert whole.tokens == len(whole.ids) == 240
    for most in (1, 5, 159, 160, 161, 239, 240, 241):
        read = vocabulary.encode(text, max_tokens=most)
        assert read.ids.tolist() == whole.ids.tolist()[:most]
        assert read.known.tolist() == whole.known.tolist()[:most]
        assert read.tokens == 240


def test_unknown_pieces_are_cached_by_hash_and_bounded() -> None:
    """The cache holds no text of unknown pieces."""
    vocabulary = Vocabulary(["<unk>", "good", "movie", "<number>"], misspelled="nearest")
    text = "goood Movei, hunter2 8080 good"
    first, second = vocabulary.encode(text), vocabulary.encode(text)
    assert first.ids.tolist() == second.ids.tolist()
    assert first.known.tolist() == second.known.tolist()
    pieces = vocabulary._pieces
    assert set(pieces) == {"goood", "good"}
    assert set(pieces.by_hash) == {(hash(own), len(own)) for own in ("Movei,", "hunter2")}
    for number in range(20):
        vocabulary.encode("x" * number + "qwerty")
    assert len(pieces.by_hash) == len(vocabulary)


def test_pieces_with_equal_hashes_are_distinguished() -> None:
    """Their characters are the same bytes."""
    one, two = "\u0141", "A\x01"
    assert hash(one) == hash(two)
    vocabulary = Vocabulary(["<unk>", "good"])
    assert [vocabulary.encode(text).tokens for text in (one, two, one)] == [1, 2, 1]


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(alphabet=st.sampled_from("godlve so.,!'t#6\U0001f600\n "), max_size=200),
    limit=st.sampled_from([None, 0, 1, 7, 50]),
)
def test_encoding_in_steps_gives_the_same(text: str, limit: int | None) -> None:
    vocabulary = Vocabulary(WORDS, misspelled="nearest")
    at_once = vocabulary.encode(text, max_tokens=limit)
    steps = vocabulary.encode_in_steps(text, max_tokens=limit)
    taken = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            in_steps = end.value
            break
        taken += 1
    assert in_steps.ids.tolist() == at_once.ids.tolist()
    assert in_steps.ids.dtype == at_once.ids.dtype
    assert in_steps.known.tolist() == at_once.known.tolist()
    assert in_steps.tokens == at_once.tokens
    assert taken >= len(text.split())


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(alphabet=st.sampled_from("godlve so.,!'t#6\U0001f600\n "), max_size=200),
    limit=st.sampled_from([0, 1, 7, 50]),
)
def test_the_head_of_a_text_is_encoded_as_its_tokens(text: str, limit: int) -> None:
    vocabulary = Vocabulary(WORDS, misspelled="nearest")
    head, encoded = vocabulary.encode_head(text, limit), vocabulary.encode(text, max_tokens=limit)
    assert head.ids.tolist() == encoded.ids.tolist()
    assert head.ids.dtype == encoded.ids.dtype
    assert head.unknown_tokens == len(encoded.known) - int(encoded.known.sum())
    assert head.tokens == encoded.tokens
