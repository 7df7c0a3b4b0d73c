"""The names of emoji, by which a classifier knows the emoji that no training text has.

The names of the Unicode Common Locale Data Repository, in English, come with the package ``emoji``:
one for each emoji, flag and sequence that Unicode recommends. Other symbols have the name of the
Unicode Character Database.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping

from valence.service.classifier.emoji import emoji_of, normalize_emoji
from valence.service.classifier.tokenizer import find_surfaces, is_emoticon, normalize

_FUNCTION_WORDS = frozenset(("a", "and", "at", "in", "of", "on", "the", "to", "with"))
_FLAG = "flag"
_TONES = re.compile(r"(?<=.)[ ,]+(?:light|medium-light|medium|medium-dark|dark) skin tone")
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)


def list_emoji() -> tuple[str, ...]:
    """Every emoji in one spelling, without skin tones, in the order of the code points."""
    return tuple(sorted(_names()))


def find_name(word: str) -> str | None:
    """The name of a normalized emoji, or of the emoji with the meaning of an emoticon.

    It is in lower case: "❤" and "<3" are "red heart". None for a word that is neither.
    """
    emoji = emoji_of(word) or normalize_emoji(word)
    name = _names().get(emoji)
    if name is None and len(emoji) == 1 and is_emoticon(emoji):
        name = unicodedata.name(emoji, "").lower() or None
    return name


def split_name(word: str) -> list[str]:
    """The words of the name of an emoji or emoticon, without its function words."""
    name = find_name(word) or ""
    return [part for part in find_surfaces(name) if part.isalpha() and part not in _FUNCTION_WORDS]


@functools.cache
def _names() -> Mapping[str, str]:
    import emoji  # reads its names from files

    names: dict[str, str] = {}
    for written, facts in emoji.EMOJI_DATA.items():
        word = normalize_emoji(normalize(written))
        name = _TONES.sub("", facts["en"].strip(":").replace("_", " ").lower())
        if ord(word[0]) in _REGIONAL_INDICATORS:
            name = f"{_FLAG} {name}"
        if find_surfaces(word) == [word]:  # a keycap is a number
            names.setdefault(word, name)
    return names
