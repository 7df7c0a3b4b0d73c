r"""Letters and marks of the world's scripts, as classes for regular expressions.

Python's ``\w`` has the letters of every script, and no combining mark.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

# Scripts that have no spaces between words: those of Unicode's classes ID (a line may end after
# each letter) and SA (a dictionary says where a line may end) of UAX 14. Han has letters only.
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003fffd"
_UNSPACED_BLOCKS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x3005, 0x3007),  # Han, repetition and zero
    (0x3021, 0x312F),  # Han numerals, Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31FF),  # Bopomofo, Katakana
    (0xA000, 0xA48C),  # Yi
    (0xA9E0, 0xA9FF),  # Myanmar
    (0xAA60, 0xAADF),  # Myanmar, Tai Viet
    (0xF900, 0xFAFF),  # Han
    (0xFF66, 0xFF9F),  # Katakana of half width
    (0x11700, 0x1174F),  # Ahom
    (0x1B000, 0x1B16F),  # Kana
)
_MARKED_BLOCKS = (
    (0x0300, 0x1DFF),
    (0x302A, 0x309A),
    (0xA66F, 0xABFF),
    (0xFB1E, 0xFB1E),
    (0xFE20, 0xFE2F),
    (0x10A00, 0x11FFF),
    (0x1E000, 0x1E95F),
)
# choices among the forms of a letter, and signs that join letters
_VARIANTS = r"\U000e0100-\U000e01ef\u200c\u200d"
# letters by their category that belong to the letter before them: the vowel AM of Thai and Lao,
# the voiced marks of half width
_TRAILING = "\u0e33\u0eb3\uff9e\uff9f"
# the next consonant is written below: in Myanmar, Khmer and Tai Tham
_STACKERS = "\u1039\u17d2\u1a60"


def _select(blocks: Iterable[tuple[int, int]], is_wanted: Callable[[str], bool]) -> str:
    """The wanted characters of ``blocks``, as ranges of a class."""
    ranges: list[tuple[int, int]] = []
    for first, last in blocks:
        for code in filter(lambda code: is_wanted(chr(code)), range(first, last + 1)):
            start = ranges.pop()[0] if ranges and ranges[-1][1] == code - 1 else code
            ranges.append((start, code))
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def _is_letter(character: str) -> bool:
    return unicodedata.category(character) in {"Lo", "Lm", "Nl"} and character not in _TRAILING


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


UNSPACED = _HAN + _select(_UNSPACED_BLOCKS, _is_letter)
"""The inside of a class: letters of scripts that have no spaces between words."""

SPELLING_MARKS = _select(_MARKED_BLOCKS, _is_mark)
"""The inside of a class: marks that tell one word from another, such as vowels and accents."""

MARKS = SPELLING_MARKS + _VARIANTS
"""The inside of a class: all marks and joiners that belong to the letter before them."""

CLUSTER = rf"[{UNSPACED}](?:[{_STACKERS}][{UNSPACED}]|[{MARKS}{_TRAILING}])*"
"""A letter of these scripts with its marks, and with the consonants written below it."""
