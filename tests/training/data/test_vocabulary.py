from __future__ import annotations

from valence.training.config.schema import Text
from valence.training.data.vocabulary import build_vocabulary

TEXTS = ("Good, good movie!", "The movie was GOOD", "so gooooood", "a bad one", "see http://a.b/c")


def test_words_are_normalized_and_ordered_by_frequency() -> None:
    words = build_vocabulary(TEXTS, Text(minimum_count=1, maximum_words=100)).words
    assert words[:3] == ("<unk>", "good", "movie")
    assert set(words[3:]) == {",", "!", "the", "was", "so", "a", "bad", "one", "see", "<url>"}
    assert list(words[3:]) == sorted(words[3:])  # equally frequent words have a fixed order


def test_rare_words_are_left_out() -> None:
    assert build_vocabulary(TEXTS, Text(minimum_count=2, maximum_words=100)).words == (
        "<unk>",
        "good",
        "movie",
    )


def test_the_size_limit_excludes_the_unknown_word() -> None:
    assert build_vocabulary(TEXTS, Text(minimum_count=1, maximum_words=1)).words == (
        "<unk>",
        "good",
    )


def test_without_texts_there_is_only_the_unknown_word() -> None:
    assert build_vocabulary([], Text(minimum_count=1, maximum_words=10)).words == ("<unk>",)


def test_a_lone_surrogate_is_not_a_word() -> None:
    texts = ["ok \ud83d \udfff x\ud800y"]
    assert set(build_vocabulary(texts, Text(minimum_count=1, maximum_words=10))) == {
        "<unk>",
        "ok",
        "x",
        "y",
    }


def test_a_text_with_the_unknown_word_does_not_add_it() -> None:
    words = build_vocabulary(["<unk> <unk>"], Text(minimum_count=1, maximum_words=10))
    assert list(words) == ["<unk>", "<", ">", "unk"]


def test_unseen_words_come_last_and_outside_the_limit() -> None:
    unseen = ["the", "splendid", "Loud", "two words", "splendid", "don't", "meal"]
    words = build_vocabulary(TEXTS, Text(minimum_count=2, maximum_words=2), unseen=unseen).words
    # "the" is too rare; no text holds the words "Loud" and "don't" in this form
    assert words == ("<unk>", "good", "movie", "the", "splendid", "meal")


RATED = ("good, 10/10", "bad, 1/10", "10 of 10 in 1987", "one of the 1980S and 1980s")


def test_numbers_share_one_word() -> None:
    words = build_vocabulary(RATED, Text(minimum_count=2, maximum_words=100)).words
    assert words == ("<unk>", "<number>", ",", "/", "of")


def test_frequent_numbers_may_have_their_own_words() -> None:
    """Other numbers share one word."""
    words = build_vocabulary(RATED, Text(minimum_count=2, maximum_words=100, numbers="own"))
    assert words.words == ("<unk>", "10", ",", "/", "1980s", "<number>", "of")
    names = [words.words[number] for number in words.encode("10/1 1980S").ids]
    assert names == ["10", "/", "<number>", "1980s"]


def test_a_number_over_the_limit_uses_the_shared_word() -> None:
    words = build_vocabulary(RATED, Text(minimum_count=1, maximum_words=1, numbers="own"))
    assert words.words == ("<unk>", "10")
    assert words.encode("10 1980s").ids.tolist() == [1, 0]


def test_a_number_as_long_as_a_phone_number_is_never_a_word() -> None:
    texts = ["call 555.123.4567 or 12345678", "12345678, 555.123.4567: 1,000,000"] * 9
    words = build_vocabulary(texts, Text(minimum_count=1, maximum_words=100, numbers="own"))
    assert {word for word in words if word[0].isdigit()} == {"1,000,000"}
    assert "<number>" in words
