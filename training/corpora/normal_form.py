"""The normal form of a text: two texts with the same normal form count as copies."""

from __future__ import annotations

import re
import unicodedata

_NON_WORD = re.compile(r"[\W_]+")
# The classifier reads every link as one word and every name as another
# (valence.service.classifier.tokenizer.normalize). To the classifier, a tweet that is sent again to
# another user, or with another link, is therefore a copy.
_LINK_OR_NAME = re.compile(r"https?://\S+|www\.\S+|@\w+")


def normal_form(text: str) -> str:
    """``text`` without what distinguishes copies: case, punctuation, white space, links, @names.

    A text of nothing but punctuation, emoji, links and names keeps these, so that ``:)`` is not a
    copy of ``:(``.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _NON_WORD.sub(" ", _LINK_OR_NAME.sub(" ", plain)).strip() or "".join(plain.split())
