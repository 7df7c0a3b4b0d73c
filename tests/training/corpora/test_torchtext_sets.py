"""torchtext's loaders, on a fake download."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torchtext.data.dataset
from valence.service.errors import ConfigurationError
from valence.training.config.columns import Columns
from valence.training.corpora import files, torchtext_sets

# torchtext does not close the files of questions
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

unpacking = pytest.mark.skipif(
    not hasattr(tarfile, "data_filter"), reason="Python before 3.11.4 is refused, see below"
)

QUESTIONS = b"""NUM:date When was it ?
DESC:def What is it ?
HUM:ind Who is sister\xf0city ?
LOC:city Where is it ?
ABBR:exp What does it stand for ?
ENTY:animal Which is it ?
"""


def archive(**members: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


REVIEWS = archive(
    **{
        "aclImdb/train/pos/0_9.txt": "Fine.",
        "aclImdb/train/neg/1_1.txt": "Poor.",
        "aclImdb/test/pos/0_9.txt": "Secret.",
    }
)


@pytest.fixture
def fake_download(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], list[str]]:
    """Replace every download by these bytes; return the requested addresses."""

    def fake_download(content: bytes) -> list[str]:
        asked: list[str] = []

        def download(url: str, path: str) -> str:
            asked.append(url)
            Path(path).write_bytes(content)
            return path

        monkeypatch.setattr(torchtext.data.dataset, "download_from_url", download)
        return asked

    return fake_download


def rows(path: Path) -> list[tuple[str, str]]:
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return [(line["text"], line["label"]) for line in lines]


@unpacking
def test_questions_are_read_with_their_coarse_labels(
    tmp_path: Path, fake_download: Callable[[bytes], list[str]]
) -> None:
    fake_download(QUESTIONS)
    (path,) = torchtext_sets.fetch_files("torchtext:trec", tmp_path)
    assert ("Who is sister city ?", "HUM") in rows(path)
    assert {label for _, label in rows(path)} == torchtext_sets.LABELS["trec"]


@unpacking
def test_only_the_train_split_of_reviews_is_read(
    tmp_path: Path, fake_download: Callable[[bytes], list[str]]
) -> None:
    asked = fake_download(REVIEWS)
    (path,) = torchtext_sets.fetch_files("torchtext:imdb", tmp_path)
    assert rows(path) == [("Fine.", "pos"), ("Poor.", "neg")]
    assert torchtext_sets.fetch_files("torchtext:imdb", tmp_path) == [path]
    assert len(asked) == 1


@unpacking
def test_a_torchtext_name_can_replace_files(
    tmp_path: Path, fake_download: Callable[[bytes], list[str]]
) -> None:
    fake_download(REVIEWS)
    (path,) = files.find_files(["torchtext:imdb"], tmp_path)
    found = files.read_examples(path, Columns("text", "label"), corpus="imdb")
    assert [(example.text, example.label) for example in found] == [
        ("Fine.", "pos"),
        ("Poor.", "neg"),
    ]


@unpacking
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("trec", b"<html>Moved</html>\n"),
        ("imdb", b"no archive"),
        ("imdb", archive(**{"../outside.txt": "x", "aclImdb/train/pos/0_9.txt": "Fine."})),
    ],
)
def test_a_wrong_archive_is_refused_and_fetched_again(
    tmp_path: Path, fake_download: Callable[[bytes], list[str]], name: str, content: bytes
) -> None:
    fake_download(content)
    cache = tmp_path / "cache"
    with pytest.raises(ConfigurationError, match=f"torchtext:{name}: it cannot be fetched"):
        torchtext_sets.fetch_files(f"torchtext:{name}", cache)
    assert not list(tmp_path.rglob("outside.txt"))
    fake_download(QUESTIONS if name == "trec" else REVIEWS)
    assert torchtext_sets.fetch_files(f"torchtext:{name}", cache)


def test_an_unknown_name_is_refused_with_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="known are torchtext:trec, torchtext:imdb"):
        torchtext_sets.fetch_files("torchtext:sst", tmp_path)


def test_without_safe_unpacking_no_archive_is_fetched(
    fake_download: Callable[[bytes], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fake_download(REVIEWS)
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    with pytest.raises(ConfigurationError, match=r"Python before 3\.11\.4 unpacks whatever"):
        torchtext_sets.fetch_files("torchtext:imdb", tmp_path)
    assert asked == []
