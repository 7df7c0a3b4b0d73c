from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.training.char_lm import documents
from valence.training.char_lm.config import CharacterData
from valence.training.corpora.example import Example
from valence.training.data.split import assign_split
from valence.training.runtime.workspace import Workspace

from tests.training.conftest import toy_corpus


def test_a_file_is_split_in_the_order_of_its_text(tmp_path: Path) -> None:
    path = tmp_path / "verse.txt"
    path.write_text("".join(str(n % 10) for n in range(105)), encoding="utf-8")
    texts = documents.load_documents(CharacterData(files=(str(path),)), cache=tmp_path)
    lengths = [len(part[0].text) for part in (texts.train, texts.dev, texts.test)]
    assert lengths == [85, 10, 10]
    whole = "".join(part[0].text for part in (texts.train, texts.dev, texts.test))
    assert whole == path.read_text(encoding="utf-8")


def test_documents_of_a_corpus_are_split_as_for_classifiers(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with toy_corpus(workspace):
        texts = documents.load_documents(CharacterData(corpora=("toy",)), cache=workspace.corpora)
    for name in ("train", "dev", "test"):
        part = getattr(texts, name)
        assert part
        assert {assign_split(Example(document.text, "", "")) for document in part} == {name}
        assert {document.label for document in part} <= {"negative", "neutral", "positive"}


def test_long_lines_are_broken_at_spaces() -> None:
    text = "one two three\n\nfour-five incomprehensibilities six"
    assert documents.break_lines(text, 10).split("\n") == [
        "one two",
        "three",
        "",
        "four-five",
        "incomprehensibilities",
        "six",
    ]


def test_code_is_spread_among_prose_up_to_the_limit(tmp_path: Path, monkeypatch) -> None:
    code = [f"value_{number} = " + "1 + " * 300 + "1\n" for number in range(40)]
    wheel = tmp_path / "package.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for number, text in enumerate(code):
            archive.writestr(f"package/{number}.py", text)
    monkeypatch.setattr(documents, "fetch", lambda package, cache, progress: wheel)
    workspace = Workspace(tmp_path)
    with toy_corpus(workspace):
        data = CharacterData(corpora=("toy",), packages=("django",), characters=30_000, width=20)
        texts = documents.load_documents(data, cache=workspace.corpora)
        again = documents.load_documents(data, cache=workspace.corpora)
    assert texts == again
    labels = [document.label for document in texts.train]
    code_places = [place for place, label in enumerate(labels) if label == "code"]
    whole = [*texts.train, *texts.dev, *texts.test]
    sizes = [len(document.text) for document in whole if document.label == "code"]
    assert 28_000 < sum(sizes) <= 30_000
    assert code_places[0] < len(labels) / 2 < code_places[-1]
    prose = [document.text for document in whole if document.label != "code"]
    assert max(len(line) for text in prose for line in text.split("\n")) <= 20


def test_the_first_characters_are_those_of_the_joined_text() -> None:
    whole = [documents.Document("abc", "x"), documents.Document("defgh"), documents.Document("i")]
    joined = documents.join_documents(whole)
    for characters in range(1, len(joined) + 3):
        taken = documents.take_documents(whole, characters)
        # a gap at the end is left out
        assert documents.join_documents(taken).rstrip() == joined[:characters].rstrip()
        assert taken[0].label == "x"
    assert documents.take_documents(whole, 100) == tuple(whole)


def test_a_file_of_code_is_labelled_as_code(tmp_path: Path) -> None:
    for name in ("a.py", "b.txt"):
        (tmp_path / name).write_text("x = 1\n" * 20, encoding="utf-8")
    files = (str(tmp_path / "a.py"), str(tmp_path / "b.txt"))
    texts = documents.load_documents(CharacterData(files=files), cache=tmp_path)
    assert [document.label for document in texts.test] == ["code", None]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"abc\xff", "byte 3 is not UTF-8"), (b"a", "too little text")],
)
def test_an_unreadable_file_is_named(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "verse.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        documents.load_documents(CharacterData(files=(str(path),)), cache=tmp_path)
