"""Detection of the encoding of a file from a bounded part of its beginning.

A byte order mark decides. Bytes that decode as UTF-8 are almost certainly UTF-8. Zero bytes are a
sign of UTF-16 and UTF-32. Otherwise charset-normalizer guesses among the encodings of the web
(WHATWG Encoding Standard), and the result is marked as a guess.
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
# a guess uses this many bytes of lines with non-ASCII bytes: enough to decide, less than the prefix
_SAMPLE_BYTES = 2**16
_MARKS = (
    # the mark of UTF-32 begins like that of UTF-16, so it comes first
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
# in the order of their use: of two that fit equally well, the first is the guess
_GUESSES = (
    *("cp1252", "cp1250", "cp1251", "cp1254", "cp1253", "cp1257", "cp1255", "cp1256", "koi8_r"),
    *("gb18030", "cp932", "euc_jp", "big5", "cp949", "mac_roman"),
)
# Insignificant differences of three measures: the share of signs within words, and the noise and
# the incoherence that charset-normalizer finds.
_TOLERANCES = (0.05, 0.05, 0.03)


class Encoding(NamedTuple):
    """The name of a codec, and whether it is a guess, because other encodings fit too."""

    name: str
    guessed: bool = False

    def guess_warning(self, what: str) -> str:
        """A warning for the user about a guess; ``what`` is the subject, such as "a.csv is"."""
        return (
            f"{what} not in UTF-8 and read as {self.name}, which is a guess; if letters are wrong, "
            "set another encoding, such as --encoding cp1252"
        )


def detect_file_encoding(path: Path) -> Encoding:
    """The encoding of a file, compressed or not, from its first :data:`PREFIX_BYTES`.

    Raises :class:`ConfigurationError` for an unreadable file, and if no encoding fits.
    """
    try:
        with path.open("rb") as file:
            prefix = decompress(file, path).read(PREFIX_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        # the reader of the rows reports the damaged line
        return Encoding("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    encoding = detect_encoding(prefix)
    if encoding is None:
        raise ConfigurationError(
            f"{path}: the encoding cannot be detected; set it, such as --encoding cp1252"
        )
    return encoding


def detect_encoding(prefix: bytes) -> Encoding | None:
    """The encoding of text that begins with ``prefix``; None if no encoding fits."""
    for mark, name in _MARKS:
        if prefix.startswith(mark):
            return Encoding(name)
    if b"\0" in prefix:
        wide = max(_WIDE, key=lambda name: _count_ascii(prefix, name))
        return Encoding(wide) if _count_ascii(prefix, wide) else None
    if _decode(prefix, "utf-8") is not None:
        return Encoding("utf-8")
    # text with a few damaged characters is still UTF-8; the reader refuses the damaged byte
    if _is_mostly_utf8(prefix):
        return Encoding("utf-8")
    return _guess(prefix)


def decompress(file: IO[bytes], path: Path) -> IO[bytes]:
    """``file``, decompressed if the name of ``path`` ends in .gz."""
    return gzip.GzipFile(fileobj=file) if is_gzipped(path) else file  # type: ignore[return-value]


def is_gzipped(path: Path) -> bool:
    """Whether the name of the file ends in .gz."""
    return path.suffix.lower() == ".gz"


def _decode(prefix: bytes, name: str) -> str | None:
    """``prefix`` as text, without a character cut off at its end; None in another encoding."""
    try:
        return codecs.getincrementaldecoder(name)().decode(prefix)
    except UnicodeError:
        return None


def _count_ascii(prefix: bytes, name: str) -> int:
    """The number of ASCII characters in ``prefix``; 0 if it does not decode or has zeros."""
    text = _decode(prefix, name)
    return 0 if text is None or "\0" in text else sum(char.isascii() for char in text)


def _is_mostly_utf8(prefix: bytes) -> bool:
    """Whether nearly all non-ASCII characters of ``prefix`` decode."""
    text = prefix.decode("utf-8", "replace")
    other = sum(not char.isascii() for char in text)
    return text.count("\N{REPLACEMENT CHARACTER}") <= other / 10


def _guess(prefix: bytes) -> Encoding | None:
    import charset_normalizer  # tens of milliseconds, for the few files that need it

    lines, size = [], 0
    for line in prefix.splitlines(keepends=True):
        if not line.isascii() and size < _SAMPLE_BYTES:
            lines.append(line[:_SAMPLE_BYTES])
            size += len(lines[-1])
    sample = b"".join(lines)
    fitting = [
        # a match stands for all encodings that decode the sample to the same text
        (name, (_share_of_misfits(str(match)), match.chaos, -match.coherence))
        for match in charset_normalizer.from_bytes(sample, cp_isolation=list(_GUESSES))
        for name in match.could_be_from_charset
        if name in _GUESSES and _decode(prefix, name) is not None
    ]
    if not fitting:
        return None
    for measure, tolerance in enumerate(_TOLERANCES):
        least = min(measures[measure] for _, measures in fitting)
        fitting = [
            (name, measures) for name, measures in fitting if measures[measure] <= least + tolerance
        ]
    return Encoding(min((name for name, _ in fitting), key=_GUESSES.index), guessed=True)


def _share_of_misfits(text: str) -> float:
    """The share of non-ASCII characters that are signs within a word, as in a wrong encoding."""
    other = signs = 0
    for before, char, after in zip(text, text[1:], text[2:], strict=False):
        if not char.isascii():
            other += 1
            within = before.isalpha() and after.isalpha() and not char.isalpha()
            # apostrophes, dashes and combining accents may be within words
            signs += within and unicodedata.category(char)[0] not in "PM"
    return signs / max(1, other)
