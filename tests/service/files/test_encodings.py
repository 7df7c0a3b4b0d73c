from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.service.files import encodings
from valence.service.files.encodings import Encoding

SAID = {
    "cp1252": "La película está muy bien, ¿no? El niño soñó con mañana.\n",
    "cp1250": "Film był świetny, bardzo mi się podobał, choć zakończenie rozczarowało.\n",
    "cp1251": "Фильм очень хороший, мне понравилось. Сюжет интересный.\n",
    "koi8_r": "Фильм очень хороший, мне понравилось. Сюжет интересный.\n",
    "cp1253": "Η ταινία ήταν πολύ καλή, μου άρεσε πολύ.\n",
    "cp932": "この映画はとても面白かったです。また見たいと思います。\n",
    "euc_jp": "この映画はとても面白かったです。また見たいと思います。\n",
    "gb18030": "这部电影非常好看,我很喜欢。\n",
    "big5": "這部電影非常好看,我很喜歡。\n",
    "cp949": "이 영화는 정말 재미있었어요. 또 보고 싶어요.\n",
    "cp1255": "הסרט היה מאוד טוב, נהניתי מאוד.\n",
    "cp1256": "كان الفيلم جيدا جدا وأعجبني كثيرا.\n",
}


@pytest.mark.parametrize("name", SAID)
def test_a_guess_from_twenty_lines_is_reported_as_a_guess(name: str) -> None:
    content = (SAID[name] * 20).encode(name)
    found = encodings.detect_encoding(b"text,label\n" * 50 + content)
    assert found is not None
    assert found.guessed
    assert content.decode(found.name) == SAID[name] * 20


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("utf-32-le", "utf-32-le"),
        ("utf-32-be", "utf-32-be"),
    ],
)
@pytest.mark.parametrize("text", ["text,label\nfine,1\n", "评论,好\n好看,1\n", "\U0001f600,a\n"])
def test_unicode_is_recognized_by_mark_zeros_or_form(text: str, encoding: str, found: str) -> None:
    """By its byte order mark, by its zero bytes, or by the form of UTF-8."""
    assert encodings.detect_encoding(text.encode(encoding)) == Encoding(found)


def test_utf_8_with_a_damaged_character_is_still_utf_8() -> None:
    assert encodings.detect_encoding("Café bon\n".encode() * 20 + b"caf\xe9\n") == Encoding("utf-8")


def test_a_character_cut_at_the_end_of_the_prefix_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    for over in range(3):
        content = b"x" * (encodings.PREFIX_BYTES - over) + "评".encode() + b"\xff"
        path.write_bytes(gzip.compress(content))
        assert encodings.detect_file_encoding(path) == Encoding("utf-8")


def test_bytes_that_fit_no_encoding_are_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\0\0\x01\xff" * 9)
    with pytest.raises(
        ConfigurationError, match=r"a.csv: the encoding cannot be detected; .*cp1252"
    ):
        encodings.detect_file_encoding(path)
    with pytest.raises(ConfigurationError, match=r"b.csv: cannot be read: No such file"):
        encodings.detect_file_encoding(tmp_path / "b.csv")
