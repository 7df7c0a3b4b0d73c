from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.service.classifier.emoji import (
    emoji_of,
    emoji_spellings,
    normalize_emoji,
    normalize_emoticon,
)
from valence.service.classifier.tokenizer import find_surfaces, normalize, tokenize
from valence.service.classifier.vocabulary import Vocabulary

WORDS = ("<unk>", "good", "👍", "❤", "🙂", ":(", "👩\u200d🚀", "🏃", "🏴", "🧑", "🇬🇧", "<number>")
FACES = st.text(alphabet=":;=8xX'’-o^*)(][}{|/\\dDpP3@$<>_.tT~", max_size=10)
SIGNS = st.sampled_from(
    (
        "👍",
        "👍🏽",
        "❤️",
        "❤",
        "👩🏽\u200d🚀",
        "🏃\u200d♂️",
        "🇬🇧",
        "🇬",
        "\u200d",
        "\ufe0f",
        "🏽",
        "☺️",
        ":-)",
    )
)
TEXTS = st.one_of(
    st.text(max_size=40),
    FACES,
    st.lists(st.one_of(SIGNS, FACES, st.sampled_from(("good ", "a1", " "))), max_size=10).map(
        "".join
    ),
)


@pytest.fixture(scope="module")
def named() -> Vocabulary:
    return Vocabulary(WORDS, emoji="named")


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("👍🏿", "👍"),
        ("❤️", "❤"),
        ("❤", "❤"),
        ("👩🏽\u200d🚀", "👩\u200d🚀"),
        ("👩🏼\u200d❤️\u200d👨🏿", "👩\u200d❤\u200d👨"),
        ("🏳️\u200d🌈", "🏳\u200d🌈"),
        ("🏽", "🏽"),  # a tone alone is an emoji
        ("good", "good"),
    ],
)
def test_an_emoji_has_one_spelling_in_all_skin_tones(written: str, plain: str) -> None:
    assert normalize_emoji(written) == plain


@pytest.mark.parametrize(
    ("written", "emoji"),
    [
        *((face, "🙂") for face in (":)", ":-)", ":o)", "=)", ":-)))", "(:", "(-:", ":^)", "[:")),
        *((face, "🙁") for face in (":(", ":-(", "=((", "):", ")-:", ":[")),
        *((face, "😃") for face in (":D", ":-D", "=D")),
        *((face, "😢") for face in (":'(", ":’(", ":'-(", ")':")),
        *((face, "😉") for face in (";)", ";-)", ";]")),
        *((face, "😕") for face in (":/", ":-\\")),
        *((face, "😆") for face in ("xD", "XD", "X-D")),
        *((face, "😊") for face in ("^^", "^_^")),
        *((face, "❤") for face in ("<3", "<33", "<3333")),
        *((face, "💔") for face in ("</3", "</33")),
        *((face, "😑") for face in ("-_-", "-___-")),
        *(("D:", "😧"), ("T_T", "😭"), (">:[", "😠"), (":@", "😡"), ("x_x", "😵")),
    ],
)
def test_an_emoticon_means_the_same_as_an_emoji(written: str, emoji: str) -> None:
    assert find_surfaces(written) == [written]
    assert emoji_of(normalize(written)) == emoji


@pytest.mark.parametrize("word", ["good", "d", "8", "do:", "--", "...", "x", "3", "()", "<", "😀"])
def test_other_words_are_no_emoticons(word: str) -> None:
    assert emoji_of(word) is None


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("👍🏽", "👍"),
        ("❤️", "❤"),
        ("<3", "❤"),
        (":-)", "🙂"),
        ("(:", "🙂"),
        (":-((", ":("),  # the vocabulary has the emoticon itself
        ("👩🏽\u200d🚀", "👩\u200d🚀"),
        ("🏃🏽\u200d♂️", "🏃"),  # without its gender
        ("🧑\u200d🪄", "🧑"),  # a sequence that does not exist: its first part
        ("🏴\U000e0067\U000e0062\U000e007f", "🏴"),
        ("🇬🇧", "🇬🇧"),
        ("🇫🇷", "<unk>"),
        ("😀", "<unk>"),
        ("1️⃣", "<number>"),
    ],
)
def test_a_named_emoji_is_found_in_every_spelling(
    named: Vocabulary, written: str, word: str
) -> None:
    assert named.words[named.id(written)] == word
    assert named.knows(written) == (word != "<unk>")


@pytest.mark.parametrize("written", ["👍🏽", "❤️", "<3", ":-)", "👩🏽\u200d🚀"])
def test_a_written_emoji_is_found_as_it_is_written(written: str) -> None:
    """Models that were trained before emoji had names read texts as before."""
    vocabulary = Vocabulary(WORDS)
    assert vocabulary.emoji == "written"
    assert not vocabulary.knows(written)
    assert vocabulary.knows("👍")
    assert not vocabulary.without_corrections().knows(written)


@given(TEXTS)
def test_names_do_not_change_tokens_and_offsets(text: str) -> None:
    """Each token has one id; a token that has an id of its own keeps the id."""
    written, named = Vocabulary(WORDS), Vocabulary(WORDS, emoji="named")
    tokens = tokenize(text)
    before, after = written.encode(text).ids.tolist(), named.encode(text).ids.tolist()
    assert len(before) == len(after) == len(tokens)
    assert all(text[start:end] == surface for surface, start, end in tokens)
    assert all(new == old for new, old in zip(after, before, strict=True) if old)


@given(TEXTS)
def test_spellings_are_words_other_than_the_token(text: str) -> None:
    for surface in find_surfaces(text):
        word = normalize(surface)
        spellings = emoji_spellings(word)
        assert word not in spellings
        assert "" not in spellings
        assert len(set(spellings)) == len(spellings)
        assert normalize_emoji(normalize_emoji(word)) == normalize_emoji(word) != ""
        plain = normalize_emoticon(word)
        assert plain is None or normalize_emoticon(plain) == plain


@given(st.text(alphabet=st.characters(categories=("L", "Nd")), min_size=1))
def test_a_word_of_letters_has_no_other_spelling(word: str) -> None:
    if word != "xd":
        assert emoji_spellings(word) == ()
