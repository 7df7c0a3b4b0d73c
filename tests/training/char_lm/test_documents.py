from __future__ import annotations

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
