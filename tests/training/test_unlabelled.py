from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from training.configuration import UnlabelledTexts
from training.corpora import Example
from training.progress import Reporter
from training.split import Splits, split
from training.unlabelled import Unlabelled, load_unlabelled


def test_unlabelled_texts_that_are_like_labelled_ones_are_left_out(
    examples: list[Example],
    silent: type[Reporter],
    tmp_path: Path,
) -> None:
    splits = split(examples)
    long = "The hotel where we stayed for a week in the hills was lovely and our room too"
    dev = Example(long + ".", "positive", "toy")
    file = tmp_path / "more.csv"
    rows = [splits.train[0].text.upper(), long + " !!", long + " indeed", "A text of its own", ""]
    file.write_text("body\n" + "".join(f'"{row}"\n' for row in rows))
    found = load_unlabelled(
        UnlabelledTexts(files=str(file), text="body"),
        Splits(splits.train, (*splits.dev, dev), splits.test),
        cache=tmp_path,
        reporter=silent(),
    )
    assert [one.text for one in found.examples] == ["A text of its own"]
    assert [(record.name, record.read) for record in found.records] == [("more.csv", 5)]


def test_where_none_are_named_there_are_none(
    examples: list[Example], silent: type[Reporter], tmp_path: Path
) -> None:
    for settings in (None, UnlabelledTexts()):
        found = load_unlabelled(settings, split(examples), cache=tmp_path, reporter=silent())
        assert found == Unlabelled()


def test_it_is_said_that_their_encoding_is_a_guess(examples: list[Example], tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    text = "der Film war überraschend schön, größer als erwartet"
    file.write_text(f'text\n"{text}"\n', encoding="cp1252")
    written = io.StringIO()
    load_unlabelled(
        UnlabelledTexts(files=str(file)),
        split(examples),
        cache=tmp_path,
        reporter=Reporter(Console(file=written)),
    )
    assert "texts of more.csv are not in UTF-8 and read as cp1252" in written.getvalue()


def test_a_text_may_be_read_sentence_by_sentence_and_each_sentence_once(
    examples: list[Example], silent: type[Reporter], tmp_path: Path
) -> None:
    file = tmp_path / "more.jsonl"
    texts = ["It rained. We left early! Why?", "We left early.<br /><br />nobody came"]
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    found = load_unlabelled(
        UnlabelledTexts(files=str(file), sentences=True),
        split(examples),
        cache=tmp_path,
        reporter=silent(),
    )
    assert [one.text for one in found.examples] == [
        "It rained.",
        "We left early!",
        "Why?",
        "nobody came",
    ]


def test_of_more_than_the_limit_the_same_ones_are_read_each_time(
    examples: list[Example], silent: type[Reporter], tmp_path: Path
) -> None:
    def kept(numbers: range, limit: int) -> set[str]:
        file = tmp_path / "more.jsonl"
        file.write_text("".join(f'{{"text": "number {number}"}}\n' for number in numbers))
        found = load_unlabelled(
            UnlabelledTexts(files=str(file), limit=limit),
            split(examples),
            cache=tmp_path,
            reporter=silent(),
        )
        return {one.text for one in found.examples}

    some = kept(range(100), 10)
    assert len(some) == 10
    assert kept(range(100), 10) == some
    assert some < kept(range(100), 20)
    assert len(kept(range(100), 100)) == 100
    # a few texts more push out a few
    assert len(kept(range(110), 10) & some) >= 7
