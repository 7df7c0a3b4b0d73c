"""When two texts count as the same text."""

from __future__ import annotations

import re
import unicodedata

_NOT_A_WORD = re.compile(r"[\W_]+")


def fold(text: str) -> str:
    """``text`` less what tells copies of one text apart: case, punctuation, white space.

    A text of nothing but punctuation or emoji keeps them, so that ``:)`` is not a copy of ``:(``.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_A_WORD.sub(" ", plain).strip() or "".join(plain.split())
