"""Detection of the encoding of a file from a bounded part of its beginning.

A byte order mark decides. Bytes that decode as UTF-8 are almost certainly UTF-8. Many zero bytes
that all belong to ASCII characters are a sign of UTF-16 and UTF-32; a lone one is a character.
Otherwise charset-normalizer guesses among the encodings of the web (WHATWG Encoding Standard), and
the result is marked as a guess.
"""

from __future__ import annotations

import codecs
import io
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from valence.service.errors import ConfigurationError
from valence.service.files.compression import Damage, open_unpacked

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
# in ASCII text in UTF-16 half of the bytes are zeros
_MANY_ZEROS = 0.2
_SOME_ZEROS = 0.05
_FEWEST_ZEROS = 16
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
# in the order of their use: of two that fit equally well, the first is the guess
_GUESSES = (
    *("cp1252", "cp1250", "cp1251", "cp1254", "cp1253", "cp1257", "cp1255", "cp1256", "koi8_r"),
    *("gb18030", "cp932", "euc_jp", "big5", "cp949", "mac_roman"),
)
_SINGLE_BYTE = {name for name in _GUESSES if name.startswith(("cp125", "koi8", "mac"))}
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
        file, stream = open_unpacked(path)
        with file:
            prefix = stream.read(PREFIX_BYTES)
    except Damage:
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
    name = detect_unicode(prefix)
    if name is not None:
        return Encoding(name)
    if _share_of_zeros(prefix) > _MANY_ZEROS:
        return None  # no text of another encoding has that many
    lines = [line for line in prefix.splitlines(keepends=True) if not line.isascii()]
    others = [line for line in lines if _decode(line, "utf-8") is None]
    guess = _guess(others)
    if guess is not None and len(others) < len(lines) and guess.name in _SINGLE_BYTE:
        # text of one byte a letter is never UTF-8 by chance
        return Encoding(f"utf-8,{guess.name}", guessed=True)
    return guess if len(others) == len(lines) else _guess(lines)


def detect_unicode(prefix: bytes) -> str | None:
    """The encoding of text that begins with ``prefix`` if it is one of Unicode."""
    for mark, name in _MARKS:
        if prefix.startswith(mark):
            return name
    if b"\0" in prefix and (wide := _find_wide(prefix)) is not None:
        return wide
    # text with a few damaged characters is still UTF-8; the reader refuses the damaged byte
    valid = _decode(prefix, "utf-8") is not None or _is_mostly_utf8(prefix)
    return "utf-8" if valid else None


def is_utf8(content: bytes) -> bool:
    """Whether all of ``content`` is text in UTF-8."""
    return _decode(content, "utf-8") is not None and _find_wide(content) is None


def split_encodings(names: str) -> tuple[str, str | None]:
    """The codec of ``names``, and the codec of the lines that the first one cannot decode, if any.

    ``utf-8,cp1252`` names two. Raises :class:`LookupError` for an unknown name.
    """
    first, _, second = (name.strip() for name in names.partition(","))
    return _find_codec(first), _find_codec(second) if second else None


def _find_codec(name: str) -> str:
    io.TextIOWrapper(io.BytesIO(), name)  # refuses a codec that is not one of text
    found = codecs.lookup(name).name
    # the reader leaves out a byte order mark in any case
    return "utf-8" if found == "utf-8-sig" else found


def _find_wide(prefix: bytes) -> str | None:
    """The encoding of :data:`_WIDE` that ``prefix`` is in, if it is in one."""
    share = _share_of_zeros(prefix)
    if not share:
        return None
    name = max(_WIDE, key=lambda name: _rate_wide(prefix, name))
    text = _decode(prefix, name)
    if text is None or not _count_ascii(prefix, name):
        return None
    if _decode(prefix, "utf-8") is not None:
        # ASCII in UTF-16 is valid UTF-8 with a zero for each character, and so is some Chinese
        several = share > _SOME_ZEROS and prefix.count(0) >= _FEWEST_ZEROS
        return name if share > _MANY_ZEROS or several else None
    # a file of Chinese in UTF-16 has few zeros, and those of its line ends are among them
    return name if text[:1].isascii() or "\n" in text or "\r" in text else None


def _share_of_zeros(prefix: bytes) -> float:
    return prefix.count(0) / max(1, len(prefix))


def _decode(prefix: bytes, name: str) -> str | None:
    """``prefix`` as text, without a character cut off at its end; None in another encoding."""
    try:
        return codecs.getincrementaldecoder(name)().decode(prefix)
    except UnicodeError:
        return None


def _count_ascii(prefix: bytes, name: str) -> int:
    """The number of ASCII characters in ``prefix``; 0 if it does not decode or has many zeros."""
    text = _decode(prefix, name)
    if text is None or text.count("\0") > _MANY_ZEROS * len(text):
        return 0
    return sum(char.isascii() for char in text)


def _rate_wide(prefix: bytes, name: str) -> tuple[bool, int]:
    """Whether ``prefix`` has ends of lines in this encoding, and the number of ASCII characters.

    In the other order of bytes, the Chinese number 1 is the letter N.
    """
    text = _decode(prefix, name) or ""
    return "\n" in text or "\r" in text, _count_ascii(prefix, name)


def _is_mostly_utf8(prefix: bytes) -> bool:
    """Whether nearly all non-ASCII characters of ``prefix`` decode."""
    text = prefix.decode("utf-8", "replace")
    other = sum(not char.isascii() for char in text)
    return text.count("\N{REPLACEMENT CHARACTER}") <= other / 10


def _guess(lines: Sequence[bytes]) -> Encoding | None:
    import charset_normalizer  # tens of milliseconds, for the few files that need it

    chosen, size = [], 0
    for line in lines:
        if size < _SAMPLE_BYTES:
            chosen.append(line[:_SAMPLE_BYTES])
            size += len(chosen[-1])
    sample = b"".join(chosen).replace(b"\0", b"")
    fitting = [
        # a match stands for all encodings that decode the sample to the same text
        (name, (_share_of_misfits(str(match)), match.chaos, -match.coherence))
        for match in charset_normalizer.from_bytes(sample, cp_isolation=list(_GUESSES))
        for name in match.could_be_from_charset
        if name in _GUESSES and _decode(b"".join(lines), name) is not None
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
