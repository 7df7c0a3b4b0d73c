from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.service.classifier.sentences import iter_sentences, split_sentences
from valence.service.classifier.tokenizer import tokenize


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


# one sentence per string; white space separates the sentences in the text
@pytest.mark.parametrize(
    "expected",
    [
        ["I loved it.", "It was great!", "Would I watch it again?", "Maybe"],
        ["i loved it.", "it was great!", "would i watch it again?", "maybe"],
        # abbreviations, initials, acronyms, numbers
        ["Mr. J. K. Rowling met Dr. Smith at 5 p.m. on Jan. 5.", "He left."],
        ["It was 5 p.m.", "We went home."],
        ["The U.S. Army left the U.S.", "It is in the U.K. now."],
        ["Acme Inc. makes pears, apples, etc.", "Then it sells them, e.g. to St. Louis."],
        ["See fig. 3 and no. 7.", "No.", "I will not."],
        ["It was I.", "Then came plan b.", "it worked.", "Vitamin C.", "It helps."],
        ["Version 2.0 costs $3.50.", "See http://a.example/b.html.", "Or www.a.example!"],
        ["1. First of all, it works.", "2. It is cheap."],
        # closing quotes and brackets belong to the sentence inside them
        ['He said "No."', "Then he left.", '"Wow!" he said.', '"Really?!"', "She nodded."],
        ["\u201cHi.\u201d", "\u2018Yes.\u2019", "He\u2019s fine (really!) now.", "(He laughed.)"],
        # an ellipsis before a lower-case letter continues the sentence
        ["It was great... but long.", "It was long...", "But great\u2026", "So."],
        # smileys and emphasis belong to the sentence before them
        ["Great! :)", "Next one :(", "Not so good \U0001f600", "He came <3"],
        ["wow ! ! !", "so good!!", "ok?!"],
        ["Works \U0001f44d\U0001f3fd fine. \U0001f1eb\U0001f1f7", "Is here."],
        # these are followed by no space
        ["caf\u00e9 was fine\u3002"],
    ],
    ids=lambda expected: expected[0],
)
@pytest.mark.parametrize("between", [" ", "  ", "\n", "\n\n"])
def test_sentences_end_where_a_reader_expects(expected: list[str], between: str) -> None:
    assert split(between.join(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("...", ["..."]),
        ("!!! Great", ["!!! Great"]),
        ("Great. ---", ["Great. ---"]),
        ("Title\nA line that\ngoes on.", ["Title", "A line that\ngoes on."]),
        ("Two:\n- one\n- two\n", ["Two:", "- one", "- two"]),
        ("one\n\ntwo", ["one", "two"]),
        ("one\r\ntwo", ["one\r\ntwo"]),
        ("one\r\n\r\ntwo", ["one", "two"]),
        ("\u3053\u308c\u3002\u305d\u308c\uff01", ["\u3053\u308c\u3002", "\u305d\u308c\uff01"]),
        ("Hello -- world. \u2014 Next", ["Hello -- world. \u2014 Next"]),
        ("What?No.", ["What?No."]),
    ],
)
def test_line_breaks_and_signs_can_end_a_sentence(text: str, expected: list[str]) -> None:
    assert split(text) == expected


WORDS = "Good bad I Mr U.S. e.g. . .. ! ? \" ' ) ( :) 1 \U0001f600 \u2026 \u3002 - , e\u0301 \0"
PIECES = st.sampled_from([*WORDS.split(), " ", "  ", "\n", "\n\n", "\r\n", "\u2029"])
TEXTS = st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=40).map("".join))


@given(TEXTS)
def test_sentences_are_in_order_and_omit_only_white_space(text: str) -> None:
    place = 0
    for start, end in split_sentences(text):
        assert text[place:start].strip() == ""
        assert start < end
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        place = end
    assert text[place:].strip() == ""


@given(TEXTS, TEXTS)
def test_a_blank_line_always_separates_text_with_words(one: str, other: str) -> None:
    first, second = f"a{one}b", f"c{other}d"
    assert split(f"{first}\n\n{second}") == split(first) + split(second)


@given(TEXTS)
def test_a_step_covers_at_most_one_token(text: str) -> None:
    taken = list(iter_sentences(text))
    assert len(taken) >= len(tokenize(text))
    assert [span for span in taken if span] == split_sentences(text)


def test_work_is_linear_in_the_text() -> None:
    # with quadratic work any of these texts would take minutes
    for piece in ("!", "a. ", '"', ".", ":) ", "\n", "! ", "( ", "a", '." ', "a\n\n", "... "):
        text = piece * 3_000
        assert text.strip() == "" or split_sentences(text)[-1].end == len(text.rstrip())
