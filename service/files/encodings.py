"""Which encoding a file's text is in, told from a bounded part of its beginning.

A byte order mark says it, bytes that decode as UTF-8 almost prove it, the zeros of UTF-16 and
UTF-32 give them away. Anything else is a guess by charset-normalizer among the encodings that the
web was written in (WHATWG Encoding Standard), and is said to be one.
"""

from __future__ import annotations

import codecs
import gzip
import unicodedata
import zlib
from pathlib import Path
from typing import IO, NamedTuple

from valence.service.errors import ConfigurationError

AUTO = "auto"
PREFIX_BYTES = 2**20
# what a guess is made from: enough lines with other bytes than ASCII's, and not the whole prefix
_GUESSED_BYTES = 2**16
_MARKS = (
    # UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
# where two fit equally well, the one more text is in comes first
_GUESSES = (
    *("cp1252", "cp1250", "cp1251", "cp1254", "cp1253", "cp1257", "cp1255", "cp1256", "koi8_r"),
    *("gb18030", "cp932", "euc_jp", "big5", "cp949", "mac_roman"),
)
# signs within words, then how noisy and how unlike any language charset-normalizer finds the text:
# differences of each that mean nothing
_EQUAL = (0.05, 0.05, 0.03)


class Encoding(NamedTuple):
    """A codec's name, and whether it is a guess that other encodings fit as well."""

    name: str
    guessed: bool = False

    def guess_warning(self, what: str) -> str:
        """What to tell a person of ``what``, "a.csv" or so, where this is a guess."""
        return (
            f"{what} not in UTF-8 and read as {self.name}, which is a guess; if letters come out "
            "wrong say another, such as --encoding cp1252"
        )


def detect_file_encoding(path: Path) -> Encoding:
    """The encoding of a file, gzipped or not, by its first :data:`PREFIX_BYTES`.

    Raises :class:`ConfigurationError` for a file that cannot be read, and where no encoding fits.
    """
    try:
        with path.open("rb") as file:
            prefix = decompress(file, path).read(PREFIX_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        # who reads the rows says at which line it is damaged
        return Encoding("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    found = detect_encoding(prefix)
    if found is None:
        raise ConfigurationError(
            f"{path}: its encoding cannot be told; say it, such as --encoding cp1252"
        )
    return found


def detect_encoding(prefix: bytes) -> Encoding | None:
    """The encoding of text that begins with ``prefix``; None where none fits."""
    for mark, name in _MARKS:
        if prefix.startswith(mark):
            return Encoding(name)
    if b"\0" in prefix:
        wide = max(_WIDE, key=lambda name: _plain(prefix, name))
        return Encoding(wide) if _plain(prefix, wide) else None
    if _decoded(prefix, "utf-8") is not None:
        return Encoding("utf-8")
    # one damaged character makes no other encoding of what else is UTF-8: that byte is refused
    if _mostly_utf8(prefix):
        return Encoding("utf-8")
    return _guess(prefix)


def decompress(file: IO[bytes], path: Path) -> IO[bytes]:
    """``file``, unpacked if its name says that it is gzipped."""
    return gzip.GzipFile(fileobj=file) if is_gzipped(path) else file  # type: ignore[return-value]


def is_gzipped(path: Path) -> bool:
    """Whether its name says that the file is gzipped."""
    return path.suffix.lower() == ".gz"


def _decoded(prefix: bytes, name: str) -> str | None:
    """The prefix as text, less a character that it cuts; None if it is not in that encoding."""
    try:
        return codecs.getincrementaldecoder(name)().decode(prefix)
    except UnicodeError:
        return None


def _plain(prefix: bytes, name: str) -> int:
    """How many characters of it are ASCII, of text without zeros; 0 where it is no such text."""
    text = _decoded(prefix, name)
    return 0 if text is None or "\0" in text else sum(char.isascii() for char in text)


def _mostly_utf8(prefix: bytes) -> bool:
    """Whether nearly all of it that is not ASCII decodes."""
    text = prefix.decode("utf-8", "replace")
    other = sum(not char.isascii() for char in text)
    return text.count("\N{REPLACEMENT CHARACTER}") <= other / 10


def _guess(prefix: bytes) -> Encoding | None:
    import charset_normalizer  # tens of milliseconds, for the few files that need it

    telling, size = [], 0
    for line in prefix.splitlines(keepends=True):
        if not line.isascii() and size < _GUESSED_BYTES:
            telling.append(line[:_GUESSED_BYTES])
            size += len(telling[-1])
    sample = b"".join(telling)
    fitting = [
        # a match stands for all encodings that give the same text of the sample
        (name, (_misfits(str(match)), match.chaos, -match.coherence))
        for match in charset_normalizer.from_bytes(sample, cp_isolation=list(_GUESSES))
        for name in match.could_be_from_charset
        if name in _GUESSES and _decoded(prefix, name) is not None
    ]
    if not fitting:
        return None
    for measure, equal in enumerate(_EQUAL):
        least = min(measures[measure] for _, measures in fitting)
        fitting = [one for one in fitting if one[1][measure] <= least + equal]
    return Encoding(min((name for name, _ in fitting), key=_GUESSES.index), guessed=True)


def _misfits(text: str) -> float:
    """The share of what is not ASCII that is a sign within a word, as in the wrong encoding."""
    other = signs = 0
    for before, char, after in zip(text, text[1:], text[2:], strict=False):
        if not char.isascii():
            other += 1
            within = before.isalpha() and after.isalpha() and not char.isalpha()
            # apostrophes and dashes belong there, accents that are characters of their own too
            signs += within and unicodedata.category(char)[0] not in "PM"
    return signs / max(1, other)
