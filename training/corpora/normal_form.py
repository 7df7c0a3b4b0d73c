"""The normal form of a text: two texts with the same normal form count as copies."""

from __future__ import annotations

import re
import unicodedata

from valence.service.classifier.scripts import SPELLING_MARKS

# the vowels of many scripts are marks, which \w lacks
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{SPELLING_MARKS}])*")
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
    words = _WORD.findall(_LINK_OR_NAME.sub(" ", plain))
    return " ".join(words) or "".join(plain.split())
