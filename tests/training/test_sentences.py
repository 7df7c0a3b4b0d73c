from __future__ import annotations

import pytest

from training.sentences import sentences


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It rained. We left! Why?", ["It rained.", "We left!", "Why?"]),
        ('He said "No way!" Then he left.', ['He said "No way!"', "Then he left."]),
        ('Good (very.) "Not bad."', ["Good (very.)", '"Not bad."']),
        ("Mr. Brown met J. R. Smith. Both left.", ["Mr. Brown met J. R. Smith.", "Both left."]),
        ("It cost 3.50 e.g. here", ["It cost 3.50 e.g. here"]),
        ("so it is... and so on", ["so it is... and so on"]),
        ("one<br /><br />two<BR>three\n\nfour", ["one", "two", "three", "four"]),
        ("Dr.", ["Dr."]),
        (" \n ", []),
        ("", []),
    ],
)
def test_sentences(text: str, wanted: list[str]) -> None:
    assert sentences(text) == wanted


def test_no_word_is_lost() -> None:
    text = 'Well... Mr. T. came! He (A. B.) said: "Go." And 1. 2. Three? <br> Yes.'
    assert " ".join(sentences(text)).split() == text.replace("<br>", " ").split()
