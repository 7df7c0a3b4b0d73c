"""When two texts count as the same text."""

from __future__ import annotations

import re
import unicodedata

_NOT_A_WORD = re.compile(r"[\W_]+")
# A link and a name are one word each to the classifier (valence.service.classifier.tokenizer.normalize), so
# a tweet sent again to someone else, or with a link of its own, is a copy to it.
_LINK_OR_NAME = re.compile(r"https?://\S+|www\.\S+|@\w+")


def fold(text: str) -> str:
    """``text`` less what tells copies of it apart: case, punctuation, white space, links, @names.

    A text of nothing but punctuation, emoji, links and names keeps them, so that ``:)`` is no copy
    of ``:(``.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_A_WORD.sub(" ", _LINK_OR_NAME.sub(" ", plain)).strip() or "".join(plain.split())
