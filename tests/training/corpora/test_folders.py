from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.training.config.columns import Columns
from valence.training.corpora import catalog, files, ranges
from valence.training.data import large_files
from valence.training.runtime.progress import Reporter

from tests.support.table_files import PACKERS

TABLE = Columns(text="text", label="label")


def put(folder: Path, texts: dict[str, str | bytes]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Write a folder with the layout of the Large Movie Review Dataset."""
    return put(
        tmp_path / "reviews",
        {
            "README": "not a text",
            "train/urls_pos.txt": "http://",
            "train/pos/1_9.txt": "Fine.",
            "train/neg/0_2.txt": "Poor,\nreally.",
            "train/unsup/0_0.txt": "Who knows.",
            "test/pos/deep/0_9.txt.gz": gzip.compress("Caf\u00e9".encode()),
            "test/pos/notes.md": "no text",
        },
    )


def test_texts_are_labelled_by_their_folder(reviews: Path) -> None:
    """The folder of the split above does not matter."""
    loaded = catalog.load_corpora((), cache=reviews, patterns=[str(reviews)], columns=TABLE)
    assert [(example.text, example.label, example.place) for example in loaded.examples] == [
        ("Caf\u00e9", "pos", "test/pos/deep/0_9.txt.gz"),
        ("Poor,\nreally.", "neg", "train/neg/0_2.txt"),
        ("Fine.", "pos", "train/pos/1_9.txt"),
    ]
    (record,) = loaded.records
    assert (record.name, record.source, record.texts) == ("reviews", "reviews", 3)


def test_a_single_split_is_a_folder_of_labels(reviews: Path) -> None:
    found = files.read_examples(reviews / "train", TABLE, corpus="mine")
    assert [(example.text, example.label) for example in found] == [
        ("Poor,\nreally.", "neg"),
        ("Fine.", "pos"),
    ]


def test_the_hash_of_a_folder_covers_texts_and_labels(reviews: Path) -> None:
    first = files.sha256(reviews)
    put(reviews, {"LICENSE": "anything"})
    assert files.sha256(reviews) == first
    put(reviews, {"train/pos/1_9.txt": "Fine!"})
    second = files.sha256(reviews)
    (reviews / "train/pos/1_9.txt").rename(reviews / "train/neg/1_9.txt")
    assert len({first, second, files.sha256(reviews)}) == 3


def test_texts_in_other_encodings_share_one_guess(
    tmp_path: Path,
) -> None:
    """Texts in UTF-8 are read as UTF-8."""
    sentence = "Der Film war überraschend schön, größer als erwartet"
    names = ("cp1252", "utf-8", "utf-8-sig")
    texts = {
        f"{label}/{n}.txt": f"{sentence} {label} {n}".encode(names[n % 3])
        for label in "ab"
        for n in range(9)
    }
    folder = put(tmp_path / "mine", texts)
    loaded = catalog.load_corpora((), cache=tmp_path, patterns=[str(folder)], columns=TABLE)
    assert len(loaded.examples) == 18
    assert {example.text[:-4] for example in loaded.examples} == {sentence}
    (record,) = loaded.records
    assert (record.encoding, record.encoding_guessed) == ("cp1252", True)


def test_an_undecodable_byte_is_named_with_file_and_line(tmp_path: Path) -> None:
    texts = {"a/1.txt": "x", "b/1.txt": "secret caf\u00e9s\n".encode() * 20 + b"Caf\xe9"}
    folder = put(tmp_path / "mine", texts)
    with pytest.raises(ConfigurationError) as caught:
        list(files.read_examples(folder, TABLE, corpus="mine"))
    said = str(caught.value)
    assert said.startswith(f"{folder}/b/1.txt, line 21: the byte 0xe9 is not UTF-8; say which")
    assert "secret" not in said
    for encoding, told in (("ascii", "the byte 0xc3 is not ASCII"), ("x", "cannot be read as 'x'")):
        with pytest.raises(ConfigurationError, match=told):
            list(files.read_examples(folder, replace(TABLE, encoding=encoding), corpus="mine"))


def test_a_folder_without_label_folders_is_refused(tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", {"train/1.txt": "x", "unsup/1.txt": "x", ".git/1.txt": "x"})
    with pytest.raises(ConfigurationError, match=r"nor texts in folders named after labels"):
        files.find_files([str(folder)])


def test_a_folder_is_streamed_from_a_copy(reviews: Path, tmp_path: Path) -> None:
    source = large_files.open_source(
        [str(reviews)], TABLE, tmp_path / "copies", Reporter(quiet=True)
    )
    texts = {
        example.text
        for part in source.ranges
        for example in ranges.read_range(part, TABLE, corpus="x")
    }
    assert texts == {"Caf\u00e9", "Poor,\nreally.", "Fine."}
    assert large_files.load_sample(source).records[0].texts == 3
    assert not large_files.is_large([reviews])


def test_texts_may_be_compressed_and_have_a_zero(tmp_path: Path) -> None:
    text = "Caf\u00e9 \0 bon".encode()
    texts = {
        f"a/{number}.txt{ending}": pack(text)
        for number, (ending, pack) in enumerate(PACKERS.items())
    }
    folder = put(tmp_path / "mine", {**texts, "b/1.txt": "other"})
    found = list(files.read_examples(folder, TABLE, corpus="mine"))
    assert {example.text for example in found if example.label == "a"} == {text.decode()}
    assert len(found) == len(texts) + 1


def test_a_text_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(b"x" * 20_000_000)
    folder = put(tmp_path / "mine", {"a/1.txt.gz": bomb, "b/1.txt": "y"})
    with pytest.raises(ConfigurationError, match=r"1.txt.gz: more than 4,000,000 bytes"):
        list(files.read_examples(folder, replace(TABLE, encoding="utf-8"), corpus="mine"))


def test_a_text_with_lines_of_two_encodings_is_read(tmp_path: Path) -> None:
    mixed = (
        "La pel\u00edcula est\u00e1 muy bien, \u00bfno?\n".encode("cp1252") * 20
        + "\u8bc4\n".encode()
    )
    folder = put(tmp_path / "mine", {"a/1.txt": mixed, "b/1.txt": "y"})
    (first, _) = files.read_examples(folder, TABLE, corpus="mine")
    assert first.text.startswith("La pel\u00edcula est\u00e1")
