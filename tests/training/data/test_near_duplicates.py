from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from valence.training.corpora.example import Example
from valence.training.data import near_duplicates
from valence.training.data.near_duplicates import MAX_WITHDRAWN, remove_near_duplicates
from valence.training.data.split import Splits

WORDS = [f"w{number}" for number in range(3_000)]


def find_near_duplicates(*parts: list[str]):
    return near_duplicates.find_near_duplicates(
        *([Example(text, "", "") for text in part] for part in parts)
    )


def sentence(seed: int, length: int = 40) -> list[str]:
    return random.Random(seed).choices(WORDS, k=length)


TEXTS = [" ".join(sentence(seed)) for seed in range(300)]


def changed(text: str) -> str:
    words = text.split()
    words[len(words) // 2] = "other"
    return " ".join(words)


@pytest.mark.parametrize(
    "edit",
    [
        changed,
        lambda text: f"{text} and one more sentence of eight words",
        str.upper,
        lambda text: text.replace(" ", ", ") + "!",
    ],
    ids=["a changed word", "an added sentence", "case", "punctuation"],
)
def test_an_edited_text_is_a_near_duplicate_of_its_original(edit) -> None:
    copies = [edit(text) for text in TEXTS[:100]]
    found = find_near_duplicates(copies, TEXTS)
    assert list(found[:100]) == [100 + number for number in range(100)]


@pytest.mark.parametrize("letters", ["\u4e00", "\u0e01\u0e31"])
def test_an_edited_text_without_spaces_is_a_near_duplicate(letters: str) -> None:
    first, marks = ord(letters[0]), letters[1:]
    alphabet = [chr(first + number) + marks for number in range(46)]
    texts = ["".join(random.Random(seed).choices(alphabet, k=40)) for seed in range(30)]
    copies = [text[:-2] + texts[0][:1] for text in texts]
    found = find_near_duplicates(copies, texts)
    assert list(found[:30]) == [30 + number for number in range(30)]


def test_texts_that_share_common_words_are_no_near_duplicates() -> None:
    common = ["the", "and", "of", "to", "in"]
    texts = [" ".join([*sentence(seed, 10), *common]) for seed in range(200)]
    assert set(find_near_duplicates(texts[:100], texts[100:])) == {-1}


def test_near_duplicates_are_searched_only_in_later_parts() -> None:
    text = TEXTS[0]
    assert list(find_near_duplicates([text, changed(text)], [TEXTS[1]])) == [-1, -1, -1]
    assert list(find_near_duplicates([TEXTS[1]], [changed(text)], [text])) == [-1, 2, -1]


def test_the_most_similar_near_duplicate_is_named() -> None:
    text = TEXTS[0]
    assert (
        find_near_duplicates([text], [f"{changed(text)} and more", changed(text), "another"])[0]
        == 2
    )


def test_the_limit_is_one_changed_word_in_nine() -> None:
    nine = [f"{number}" for number in range(9)]
    assert find_near_duplicates([" ".join(nine)], [" ".join([*nine[:4], "x", *nine[5:]])])[0] == 1
    eight = nine[:8]
    assert (
        find_near_duplicates([" ".join(eight)], [" ".join([*eight[:4], "x", *eight[5:]])])[0] == -1
    )


def test_single_texts_and_empty_texts_have_no_near_duplicate() -> None:
    assert list(find_near_duplicates([])) == []
    assert list(find_near_duplicates(["", "a"], [""])) == [-1, -1, -1]
    assert list(find_near_duplicates([":)"], [":("])) == [-1, -1]


def test_every_process_finds_the_same_near_duplicates() -> None:
    code = (
        "from valence.training.corpora.example import Example\n"
        "from valence.training.data.near_duplicates import find_near_duplicates\n"
        "texts = [Example(' '.join(map(str, range(n, n + 12))), '', '') for n in range(60)]\n"
        "print(list(map(int, find_near_duplicates(texts[::2], texts[1::2]))))\n"
    )
    root = Path(__file__).parents[3]
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def examples(texts: list[str], label: str = "a") -> tuple[Example, ...]:
    return tuple(Example(text, label, "c") for text in texts)


def test_only_train_loses_near_duplicates_of_dev_and_test() -> None:
    dev, test = examples([changed(TEXTS[3]), TEXTS[200]]), examples([changed(TEXTS[7])])
    dealt = remove_near_duplicates(Splits(examples(TEXTS[:100]), dev, test))
    assert [example.text for example in dealt.train] == [
        text for number, text in enumerate(TEXTS[:100]) if number not in (3, 7)
    ]
    assert (dealt.dev, dealt.test, dealt.withdrawn) == (dev, test, 2)
    assert [pair.second.text for pair in dealt.near_duplicates] == [dev[0].text, test[0].text]


def test_a_near_duplicate_with_another_label_is_kept() -> None:
    """And reported."""
    dealt = remove_near_duplicates(
        Splits(examples(TEXTS[:100]), (), examples([changed(TEXTS[3])], "b"))
    )
    assert (len(dealt.train), dealt.withdrawn, len(dealt.near_duplicates)) == (100, 0, 1)


def test_near_duplicates_between_dev_and_test_are_kept() -> None:
    """And reported."""
    dealt = remove_near_duplicates(
        Splits(examples(TEXTS[:50]), examples([TEXTS[60]]), examples([changed(TEXTS[60])]))
    )
    assert (len(dealt.dev), len(dealt.test), dealt.withdrawn) == (1, 1, 0)
    assert len(dealt.near_duplicates) == 1


@pytest.mark.parametrize(("copies", "withdrawn"), [(20, 20), (21, 0)])
def test_frequent_near_duplicates_are_kept(copies: int, withdrawn: int) -> None:
    """Data with many near-duplicates are meant to be so."""
    assert MAX_WITHDRAWN == 0.2
    test = examples([changed(text) for text in TEXTS[:copies]])
    dealt = remove_near_duplicates(Splits(examples(TEXTS[:100]), (), test))
    assert (dealt.withdrawn, len(dealt.train)) == (withdrawn, 100 - withdrawn)
