"""Text to tokens, for English as people type it: one implementation for training and serving.

One regular expression cuts the text into tokens. :func:`normalize` maps a token to the word that
the vocabulary has. A contraction is cut as in the Penn Treebank (``do|n't``, ``it|'s``), as it was
in the corpora of GloVe.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from operator import itemgetter
from typing import NamedTuple

# A letter of any script with its combining marks. ``\w`` alone would separate a decomposed accent
# from its letter ("e" + U+0301).
_MARKS = r"[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0e31-\u0e3a\u0e47-\u0e4e]*"
_LETTER = rf"(?:[^\W\d_]{_MARKS})"
_WORD = rf"{_LETTER}(?:[^\W_]{_MARKS})*"  # "mp3" is a word
_APOSTROPHE = r"['\u2019]"
_CLITIC = rf"{_APOSTROPHE}(?:s|m|d|re|ve|ll)(?!\w)"
_EMOJI = r"[\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
_EMOJI_MODIFIER = r"[\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"

_EMOTICONS = (
    # emoticons: eyes nose mouth; only the plainest may follow a word without a space ("nice:)")
    r"[:;=]['\u2019]?[-o^*]?[)(]+(?!\w)",
    r"(?<!\w)[<>]?[:;=]['\u2019]?[-o^*]?[\]\[}{|/\\DPO3@$*](?!\w)",
    r"(?<!\w)(?:8-[)D]|x-?D)(?!\w)",
    r"(?<!\S)[)(\]\[D][-o^*]?['\u2019]?[:;=](?!\w)",  # mouth nose eyes
    r"(?<!\w)(?:\^[._-]?\^|-[._]+-|o[._]+o|0_+0|t_+t|u_+u|x_+x|;_+;|>[._]+<)(?!\w)",
    r"</?3+(?![\d.,])",  # hearts; "<30" is a number
)
_EMOJIS = (
    r"[\U0001f1e6-\U0001f1ff]{2}",  # flags
    f"{_EMOJI}{_EMOJI_MODIFIER}*(?:\u200d{_EMOJI}{_EMOJI_MODIFIER}*)*",
)

# The time is linear in the length of the text: a pattern that may match far and then fail has a
# look-behind, so that it starts only once in the characters that it scans.
_PATTERN = re.compile(
    "|".join(
        (
            # a plain word, the most frequent token; the rules below would cut it in the same way
            r"[^\W\d_]++(?=[\s,;!?]|\Z)",
            # a URL ends before the punctuation of the sentence around it
            r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\"'.,;:!?)\]}\u2019]",
            r"(?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)+",  # e-mail
            r"@\w+",
            r"#\w+",
            *_EMOTICONS,
            r"[0-9#*]\ufe0f?\u20e3",  # keycaps
            *_EMOJIS,
            r"\d+(?:[.,:]\d+)*(?:(?:st|nd|rd|th|s)(?!\w))?",  # "1st" and "1980s" too
            rf"(?<![\w.])(?:{_LETTER}\.){{2,}}{_LETTER}?(?!\w)",  # "U.S.", "U.S.A"
            r"(?<!\w)(?:w/o|b/c)(?!\w)",
            # contractions: the stem, then "n't" or the clitic, each a token
            rf"{_LETTER}+?(?=n{_APOSTROPHE}t(?!\w))",
            rf"n{_APOSTROPHE}t(?!\w)",
            _CLITIC,
            rf"{_WORD}(?:(?!{_CLITIC}){_APOSTROPHE}{_WORD})*",  # "o'clock" is a word
            r"[!?]{2,}",
            # repeated signs are one token: a line, a censored word, quotes of apostrophes
            *(rf"{re.escape(sign)}{{2,}}" for sign in ".-'*_=~$#<>"),
            r"\S",
        )
    ),
    re.IGNORECASE,
)

_FACE = re.compile("|".join((*_EMOTICONS, *_EMOJIS)), re.IGNORECASE)
_ELONGATION = re.compile(r"(.)\1{2,}")
_ELONGATED = re.compile(r"(.)\1+")
# the repeated character; re.sub is faster with a function than with a template
_once = itemgetter(1)
# words that have an alternative spelling
_ALTERABLE = re.compile(r"(.)\1|\A#.|[0-9]\Z")

# corpora have straight quotes and three dots; word processors and phones type other signs
_PLAIN = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": "..."}
)

URL = "<url>"
USER = "<user>"
NUMBER = "<number>"


class Token(NamedTuple):
    """A token: ``text[start:end] == surface``. Offsets count code points."""

    surface: str
    start: int
    end: int


def find_surfaces(text: str) -> list[str]:
    """The tokens of ``text`` as written, in order, without offsets (the fast path)."""
    return _PATTERN.findall(text)


def iter_surfaces(text: str) -> Iterator[str]:
    """Like :func:`find_surfaces`, one token at a time."""
    for match in _PATTERN.finditer(text):
        yield match[0]


def tokenize(text: str) -> list[Token]:
    """The tokens of ``text`` in order, with their offsets."""
    return list(iter_tokens(text))


def iter_tokens(text: str) -> Iterator[Token]:
    """Like :func:`tokenize`, one token at a time."""
    for start, end in iter_spans(text):
        yield Token(text[start:end], start, end)


def iter_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each token of ``text``, in order."""
    end = 0
    # Tokens do not have white space, and only white space is outside tokens. So a piece between
    # white space is a sequence of tokens. Most pieces are one word or one sign, without the
    # pattern.
    for piece in text.split():
        end = text.index(piece, end)
        if len(piece) == 1 or piece.isalpha():
            start, end = end, end + len(piece)
            yield start, end
            continue
        first = end
        for match in _PATTERN.finditer(piece):
            start, end = first + match.start(), first + match.end()
            yield start, end


def is_emoticon(surface: str) -> bool:
    """Whether a token is an emoticon or an emoji."""
    return _FACE.fullmatch(surface) is not None


def normalize(surface: str, numbers: Container[str] = ()) -> str:
    """The word of the vocabulary for a token.

    The word is in lower case. URLs, e-mail addresses, @users and numbers become a word for their
    kind, except the numbers in ``numbers``: a digit string says little, and there are too many. A
    character repeated three times or more is repeated twice ("sooooo" -> "soo", "!!!!!" -> "!!").
    Two or more dots become an ellipsis of three.
    """
    word = surface.lower()
    if word.isalpha():  # most tokens; the rules below do not apply to them
        return _ELONGATION.sub(_twice, word)
    first = surface[0]
    if first.isdigit():
        return word if word in numbers else NUMBER
    if first == "@" and surface != "@":
        return USER
    if word.startswith(("http://", "https://", "www.")) or "@" in word[1:-1]:
        return URL
    if word.startswith(".."):
        return "..."
    return _ELONGATION.sub(_twice, word).translate(_PLAIN)


def alternative_spellings(word: str) -> tuple[str, ...]:
    """The spellings to look up, in order, for a normalized word outside the vocabulary.

    They are the word with a repeated letter once ("soo" -> "so"), a hashtag without its sign
    ("#love" -> "love"), and the word without the number at its end ("iphone6" -> "iphone").
    """
    if not _ALTERABLE.search(word):
        return ()
    tag = "#" if word[0] == "#" and len(word) > 1 else ""
    candidates = []
    for spelling in (word, word.rstrip("0123456789")):
        squeezed = _ELONGATED.sub(_once, spelling)
        candidates += [spelling, squeezed, spelling.removeprefix(tag), squeezed.removeprefix(tag)]
    return tuple(
        dict.fromkeys(candidate for candidate in candidates if candidate not in ("", "#", word))
    )


def _twice(match: re.Match[str]) -> str:
    return match[1] * 2
