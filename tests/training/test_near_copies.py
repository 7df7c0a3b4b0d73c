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
def test_an_edited_text_is_found_beside_the_text_it_was_made_of(edit) -> None:
    copies = [edit(text) for text in TEXTS[:100]]
    found = find_near_duplicates(copies, TEXTS)
    assert list(found[:100]) == [100 + number for number in range(100)]


def test_texts_that_share_only_common_words_are_no_near_copies() -> None:
    common = ["the", "and", "of", "to", "in"]
    texts = [" ".join([*sentence(seed, 10), *common]) for seed in range(200)]
    assert set(find_near_duplicates(texts[:100], texts[100:])) == {-1}


def test_near_copies_are_looked_for_in_later_parts_only() -> None:
    text = TEXTS[0]
    assert list(find_near_duplicates([text, changed(text)], [TEXTS[1]])) == [-1, -1, -1]
    assert list(find_near_duplicates([TEXTS[1]], [changed(text)], [text])) == [-1, 2, -1]


def test_of_several_near_copies_the_most_similar_is_named() -> None:
    text = TEXTS[0]
    assert (
        find_near_duplicates([text], [f"{changed(text)} and more", changed(text), "another"])[0]
        == 2
    )


def test_the_limit_is_one_changed_word_of_nine() -> None:
    nine = [f"{number}" for number in range(9)]
    assert find_near_duplicates([" ".join(nine)], [" ".join([*nine[:4], "x", *nine[5:]])])[0] == 1
    eight = nine[:8]
    assert (
        find_near_duplicates([" ".join(eight)], [" ".join([*eight[:4], "x", *eight[5:]])])[0] == -1
    )


def test_texts_without_a_word_and_without_others_have_no_near_copy() -> None:
    assert list(find_near_duplicates([])) == []
    assert list(find_near_duplicates(["", "a"], [""])) == [-1, -1, -1]
    assert list(find_near_duplicates([":)"], [":("])) == [-1, -1]


def test_every_process_finds_the_same() -> None:
    code = (
        "from valence.training.corpora.example import Example\n"
        "from valence.training.data.near_duplicates import find_near_duplicates\n"
        "texts = [Example(' '.join(map(str, range(n, n + 12))), '', '') for n in range(60)]\n"
        "print(list(map(int, find_near_duplicates(texts[::2], texts[1::2]))))\n"
    )
    root = Path(__file__).parent.parent.parent
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


def test_train_loses_near_copies_of_what_it_is_judged_by_and_dev_and_test_lose_nothing() -> None:
    dev, test = examples([changed(TEXTS[3]), TEXTS[200]]), examples([changed(TEXTS[7])])
    dealt = remove_near_duplicates(Splits(examples(TEXTS[:100]), dev, test))
    assert [one.text for one in dealt.train] == [
        text for number, text in enumerate(TEXTS[:100]) if number not in (3, 7)
    ]
    assert (dealt.dev, dealt.test, dealt.withdrawn) == (dev, test, 2)
    assert [pair.second.text for pair in dealt.near_copies] == [dev[0].text, test[0].text]


def test_a_near_copy_with_another_label_stays_and_is_told() -> None:
    dealt = remove_near_duplicates(
        Splits(examples(TEXTS[:100]), (), examples([changed(TEXTS[3])], "b"))
    )
    assert (len(dealt.train), dealt.withdrawn, len(dealt.near_copies)) == (100, 0, 1)


def test_near_copies_of_dev_and_test_texts_are_told_and_stay() -> None:
    dealt = remove_near_duplicates(
        Splits(examples(TEXTS[:50]), examples([TEXTS[60]]), examples([changed(TEXTS[60])]))
    )
    assert (len(dealt.dev), len(dealt.test), dealt.withdrawn) == (1, 1, 0)
    assert len(dealt.near_copies) == 1


@pytest.mark.parametrize(("copies", "withdrawn"), [(20, 20), (21, 0)])
def test_where_near_copies_are_what_the_data_are_like_they_stay(
    copies: int, withdrawn: int
) -> None:
    assert MAX_WITHDRAWN == 0.2
    test = examples([changed(text) for text in TEXTS[:copies]])
    dealt = remove_near_duplicates(Splits(examples(TEXTS[:100]), (), test))
    assert (dealt.withdrawn, len(dealt.train)) == (withdrawn, 100 - withdrawn)
