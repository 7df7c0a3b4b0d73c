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


@pytest.mark.parametrize("name", ["cp1252", "cp1251", "koi8_r"])
def test_lines_of_two_encodings_are_read_in_both(name: str) -> None:
    other = (SAID[name] * 20).encode(name)
    few = "Caf\u00e9, \u8bc4\u8bba\n".encode()
    found = encodings.detect_encoding(b"text\n" + other + few)
    assert found == Encoding(f"utf-8,{name}", guessed=True)
    assert encodings.split_encodings(found.name)[0] == "utf-8"
    assert "read as utf-8,cp" in found.guess_warning("a.csv is") or name == "koi8_r"


@pytest.mark.parametrize("name", SAID)
def test_a_lone_zero_does_not_change_the_guess(name: str) -> None:
    content = b"text,label\n" * 50 + (SAID[name] * 20).encode(name)
    found = encodings.detect_encoding(content)
    assert encodings.detect_encoding(content.replace(b"label", b"lab\0l", 3)) == found


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_chinese_in_utf_16_has_few_zeros(name: str) -> None:
    """Those of its line ends, and of characters whose code ends in zeros, such as the number 1."""
    text = "\u597d\u770b\u4e00\u4e0a" * 50 + "\n"
    content = text.encode(name) * 20
    assert content.count(0) < len(content) / 4
    assert encodings.detect_encoding(content) == Encoding(name)


def test_two_encodings_are_split() -> None:
    assert encodings.split_encodings("utf-8, cp1252") == ("utf-8", "cp1252")
    assert encodings.split_encodings("UTF8") == ("utf-8", None)
    assert encodings.split_encodings("utf-8-sig") == ("utf-8", None)
    for wrong in ("utf-99", "utf-8,utf-99", "hex"):
        with pytest.raises(LookupError):
            encodings.split_encodings(wrong)
