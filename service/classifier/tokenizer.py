"""Text to tokens, for English as people type it: one implementation for training and serving.

One regular expression cuts the text; :func:`normalize` maps what was cut to the word that is
looked up in the vocabulary. A contraction is cut as in the Penn Treebank (``do|n't``,
``it|'s``), which is also how GloVe's corpora were cut.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# A letter of any script with the combining marks that follow it. ``\w`` alone would cut
# decomposed accents ("e" + U+0301) off their letter.
_LETTER = r"(?:[^\W\d_][\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0e31-\u0e3a\u0e47-\u0e4e]*)"
_APOSTROPHE = r"['\u2019]"
_EMOJI = r"[\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
_EMOJI_MODIFIER = r"[\ufe0f\u20e3\U0001f3fb-\U0001f3ff]"

_PATTERN = re.compile(
    "|".join(
        (
            # a URL ends before the punctuation of the sentence around it
            r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\"'.,;:!?)\]}\u2019]",
            r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",  # e-mail
            r"@\w+",
            r"#\w+",
            # emoticons: eyes nose mouth, either way round; not inside a word or a ratio
            r"(?<![\w])[<>]?[:;=8xX]['\u2019]?[-o^*]?[)(\]\[}{|/\\DPpOo3@$*](?:(?<=[)(])[)(]*)(?!\w)",
            r"(?<![\w])[)(\]\[D][-o^*]?['\u2019]?[:;=](?!\w)",
            r"<\/?3+",
            r"(?<!\w)(?:\^[._-]?\^|-[._]+-|[oO][._][oO])(?!\w)",
            r"[\U0001f1e6-\U0001f1ff]{2}",  # flags
            f"{_EMOJI}{_EMOJI_MODIFIER}*(?:\u200d{_EMOJI}{_EMOJI_MODIFIER}*)*",
            r"\d+(?:[.,:]\d+)*",
            # contractions: the stem, then "n't" or the clitic, each a token
            f"{_LETTER}+?(?=n{_APOSTROPHE}t(?!\\w))",
            f"n{_APOSTROPHE}t(?!\\w)",
            f"{_APOSTROPHE}(?:s|m|d|re|ve|ll)(?!\\w)",
            f"{_LETTER}+",
            r"\.{2,}",
            r"[!?]{2,}",
            r"-{2,}",
            r"[^\s]",
        )
    ),
    re.IGNORECASE,
)

_ELONGATION = re.compile(r"(.)\1{2,}")
_ELONGATED = re.compile(r"(.)\1+")

# corpora come with straight quotes, word processors and phones type curly ones
_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")

URL = "<url>"
USER = "<user>"
NUMBER = "<number>"


class Token(NamedTuple):
    """A piece of a text: ``text[start:end] == surface``; offsets count code points."""

    surface: str
    start: int
    end: int


def surfaces(text: str) -> list[str]:
    """The tokens of ``text`` as they are written, in order, without offsets (the fast path)."""
    return _PATTERN.findall(text)


def tokenize(text: str) -> list[Token]:
    """The tokens of ``text`` in order, with the character offsets they were cut at."""
    return [Token(match.group(), *match.span()) for match in _PATTERN.finditer(text)]


def normalize(surface: str) -> str:
    """The word that stands for a token in the vocabulary.

    Lower case; URLs, e-mail addresses and @users become a word each that names their kind, and so
    do numbers (a digit string says little and there are endlessly many); a letter or sign repeated
    three times or more is kept twice ("sooooo" -> "soo", "!!!!!" -> "!!").
    """
    first = surface[0]
    if first.isdigit():
        return NUMBER
    if len(surface) == 1:
        return surface.lower().translate(_STRAIGHT)
    if first == "@":
        return USER
    word = surface.lower()
    if word.startswith(("http://", "https://", "www.")) or "@" in word[1:-1]:
        return URL
    return _ELONGATION.sub(r"\1\1", word).translate(_STRAIGHT)


def alternatives(word: str) -> tuple[str, ...]:
    """What to try, in order, for a normalized word that the vocabulary does not hold.

    A repeated letter taken as typed once ("soo" -> "so"), and a hashtag read as its word
    ("#love" -> "love").
    """
    squeezed = _ELONGATED.sub(r"\1", word)
    candidates = [squeezed] if squeezed != word else []
    if word[0] == "#" and len(word) > 1:
        candidates += [word[1:], squeezed[1:]]
    return tuple(candidates)
