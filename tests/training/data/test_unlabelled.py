from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from valence.training.config.schema import Distillation, UnlabelledTexts
from valence.training.corpora.example import Example
from valence.training.data.split import Splits, split_by_hash
from valence.training.data.unlabelled import Unlabelled, load_unlabelled, select_for_teacher
from valence.training.runtime.progress import Reporter


def read(files: Path, splits: Splits, *, text: str = "text", reporter: Reporter) -> Unlabelled:
    return load_unlabelled(
        UnlabelledTexts(files=(str(files),), text=text),
        splits,
        cache=files.parent,
        reporter=reporter,
    )


def test_copies_of_labelled_texts_are_not_read(
    examples: list[Example], silent: type[Reporter], tmp_path: Path
) -> None:
    splits = split_by_hash(examples)
    file = tmp_path / "more.csv"
    dev = splits.dev[0].text
    rows = [splits.train[0].text.upper(), dev, dev + " !!", "A text of its own", ""]
    file.write_text("body\n" + "".join(f'"{row}"\n' for row in rows))
    found = read(file, splits, text="body", reporter=silent())
    assert [example.text for example in found.examples] == ["A text of its own"]
    assert [(record.name, record.read) for record in found.records] == [("more.csv", 5)]


def test_texts_similar_to_held_out_texts_are_not_labelled(
    examples: list[Example], silent: type[Reporter]
) -> None:
    splits = split_by_hash(examples)
    long = "The hotel where we stayed for a week in the hills was lovely and our room too"
    splits = Splits(splits.train, (*splits.dev, Example(long, "positive", "toy")), splits.test)
    read = (Example(long + " indeed", "", "more"), Example("A text of its own", "", "more"))
    kept = select_for_teacher(Unlabelled(read), Distillation(), splits, reporter=silent())
    assert kept == read[1:]


def test_without_files_there_are_no_unlabelled_texts(
    examples: list[Example], silent: type[Reporter], tmp_path: Path
) -> None:
    splits = split_by_hash(examples)
    assert load_unlabelled(None, splits, cache=tmp_path, reporter=silent()) == Unlabelled()
    assert select_for_teacher(Unlabelled(), Distillation(), splits, reporter=silent()) == ()
    some = Unlabelled((Example("A text.", "", "more"),))
    assert select_for_teacher(some, None, splits, reporter=silent()) == ()


def test_a_guessed_encoding_is_reported(examples: list[Example], tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    text = "der Film war überraschend schön, größer als erwartet"
    file.write_text(f'text\n"{text}"\n', encoding="cp1252")
    written = io.StringIO()
    read(file, split_by_hash(examples), reporter=Reporter(Console(file=written)))
    assert "texts of more.csv are not in UTF-8 and read as cp1252" in written.getvalue()


def test_sentences_of_a_text_can_be_labelled_once_each(
    examples: list[Example], silent: type[Reporter]
) -> None:
    splits = split_by_hash(examples)
    known = splits.train[0].text
    texts = ["It rained. We left early! Why?", f"We left early.<br /><br />nobody came\n\n{known}"]
    whole = Unlabelled(tuple(Example(text, "", "more") for text in texts))
    kept = select_for_teacher(whole, Distillation(sentences=True), splits, reporter=silent())
    assert [example.text for example in kept] == [
        "It rained.",
        "We left early!",
        "Why?",
        "nobody came",
    ]
    whole_texts = select_for_teacher(whole, Distillation(), splits, reporter=silent())
    assert [example.text for example in whole_texts] == texts


def test_over_the_limit_the_same_texts_are_selected_each_time(
    examples: list[Example], silent: type[Reporter]
) -> None:
    splits = split_by_hash(examples)

    def kept(numbers: range, limit: int) -> set[str]:
        read = tuple(Example(f"number {number}", "", "more") for number in numbers)
        found = select_for_teacher(
            Unlabelled(read), Distillation(limit=limit), splits, reporter=silent()
        )
        return {example.text for example in found}

    some = kept(range(100), 10)
    assert len(some) == 10
    assert kept(range(100), 10) == some
    assert some < kept(range(100), 20)
    assert len(kept(range(100), 100)) == 100
    # a few additional texts replace a few
    assert len(kept(range(110), 10) & some) >= 7
