from __future__ import annotations

from valence.training.data.vocabulary import build_vocabulary

TEXTS = ("Good, good movie!", "The movie was GOOD", "so gooooood", "a bad one", "see http://a.b/c")


def test_words_are_counted_normalized_and_ordered_by_how_often_they_occur() -> None:
    words = build_vocabulary(TEXTS, minimum_count=1, maximum_words=100).words
    assert words[:3] == ("<unk>", "good", "movie")
    assert set(words[3:]) == {",", "!", "the", "was", "so", "a", "bad", "one", "see", "<url>"}
    assert list(words[3:]) == sorted(words[3:])  # as often: in an order that is always the same


def test_rare_words_are_left_out() -> None:
    assert build_vocabulary(TEXTS, minimum_count=2, maximum_words=100).words == (
        "<unk>",
        "good",
        "movie",
    )


def test_there_are_no_more_words_than_asked_for_beside_the_unknown_one() -> None:
    assert build_vocabulary(TEXTS, minimum_count=1, maximum_words=1).words == ("<unk>", "good")


def test_no_text_leaves_the_unknown_word() -> None:
    assert build_vocabulary([], minimum_count=1, maximum_words=10).words == ("<unk>",)


def test_half_a_character_is_no_word() -> None:
    texts = ["ok \ud83d \udfff x\ud800y"]
    assert set(build_vocabulary(texts, minimum_count=1, maximum_words=10)) == {
        "<unk>",
        "ok",
        "x",
        "y",
    }


def test_a_text_that_spells_the_unknown_word_does_not_make_it_known() -> None:
    words = build_vocabulary(["<unk> <unk>"], minimum_count=1, maximum_words=10)
    assert list(words) == ["<unk>", "<", ">", "unk"]


def test_unseen_words_come_after_the_others_and_are_not_counted_among_them() -> None:
    unseen = ["the", "splendid", "Loud", "two words", "splendid", "don't", "meal"]
    words = build_vocabulary(TEXTS, minimum_count=2, maximum_words=2, unseen=unseen).words
    # "the" is seen too rarely; of "Loud" and "don't" no text has the word as it stands there
    assert words == ("<unk>", "good", "movie", "the", "splendid", "meal")


RATED = ("good, 10/10", "bad, 1/10", "10 of 10 in 1987", "one of the 1980S and 1980s")


def test_numbers_are_one_word() -> None:
    words = build_vocabulary(RATED, minimum_count=2, maximum_words=100).words
    assert words == ("<unk>", "<number>", ",", "/", "of")


def test_frequent_numbers_may_have_a_word_each_and_the_others_one() -> None:
    words = build_vocabulary(RATED, minimum_count=2, maximum_words=100, numbers="own")
    assert words.words == ("<unk>", "10", ",", "/", "1980s", "<number>", "of")
    names = [words.words[number] for number in words.encode("10/1 1980S").ids]
    assert names == ["10", "/", "<number>", "1980s"]


def test_a_number_that_there_is_no_room_for_is_one_of_the_others() -> None:
    words = build_vocabulary(RATED, minimum_count=1, maximum_words=1, numbers="own")
    assert words.words == ("<unk>", "10")
    assert words.encode("10 1980s").ids.tolist() == [1, 0]


def test_a_number_as_long_as_a_telephones_is_never_a_word() -> None:
    texts = ["call 555.123.4567 or 12345678", "12345678, 555.123.4567: 1,000,000"] * 9
    words = build_vocabulary(texts, minimum_count=1, maximum_words=100, numbers="own")
    assert {word for word in words if word[0].isdigit()} == {"1,000,000"}
    assert "<number>" in words
