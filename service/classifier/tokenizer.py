"""Text to tokens, for English as people type it: one implementation for training and serving.

One regular expression cuts the text; :func:`normalize` maps what was cut to the word that is
looked up in the vocabulary. A contraction is cut as in the Penn Treebank (``do|n't``,
``it|'s``), which is also how GloVe's corpora were cut.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from operator import itemgetter
from typing import NamedTuple

# A letter of any script with the combining marks that follow it. ``\w`` alone would cut
# decomposed accents ("e" + U+0301) off their letter.
_MARKS = r"[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0e31-\u0e3a\u0e47-\u0e4e]*"
_LETTER = rf"(?:[^\W\d_]{_MARKS})"
_WORD = rf"{_LETTER}(?:[^\W_]{_MARKS})*"  # "mp3" is a word
_APOSTROPHE = r"['\u2019]"
_CLITIC = rf"{_APOSTROPHE}(?:s|m|d|re|ve|ll)(?!\w)"
_EMOJI = r"[\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
_EMOJI_MODIFIER = r"[\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"

_EMOTICONS = (
    # emoticons: eyes nose mouth; only the plainest may touch a word ("nice:)")
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

# Work is linear in the text: where a pattern may run far and fail, a look-behind lets it start
# only once in what it runs over.
_PATTERN = re.compile(
    "|".join(
        (
            # a plain word, which the rules below would cut alike: most of all text, at once
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
            # other signs in a row are one: a line, a censored word, quotes made of apostrophes
            *(rf"{re.escape(sign)}{{2,}}" for sign in ".-'*_=~$#<>"),
            r"\S",
        )
    ),
    re.IGNORECASE,
)

_FACE = re.compile("|".join((*_EMOTICONS, *_EMOJIS)), re.IGNORECASE)
_ELONGATION = re.compile(r"(.)\1{2,}")
_ELONGATED = re.compile(r"(.)\1+")
# the repeated character; a function is called faster than a template is filled in
_once = itemgetter(1)
# what another spelling could leave out
_ALTERABLE = re.compile(r"(.)\1|\A#.|[0-9]\Z")

# corpora come with straight quotes and three dots, word processors and phones type others
_PLAIN = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": "..."}
)

URL = "<url>"
USER = "<user>"
NUMBER = "<number>"


class Token(NamedTuple):
    """A piece of a text: ``text[start:end] == surface``; offsets count code points."""

    surface: str
    start: int
    end: int


def find_surfaces(text: str) -> list[str]:
    """The tokens of ``text`` as they are written, in order, without offsets (the fast path)."""
    return _PATTERN.findall(text)


def tokenize(text: str) -> list[Token]:
    """The tokens of ``text`` in order, with the character offsets they were cut at."""
    return list(iter_tokens(text))


def iter_tokens(text: str) -> Iterator[Token]:
    """As :func:`tokenize`, a token at a time."""
    for start, end in iter_spans(text):
        yield Token(text[start:end], start, end)


def iter_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where each token of ``text`` starts and ends, in order."""
    end = 0
    # No token holds white space and nothing else is left out, so what stands between white space
    # is tokens end to end; most of it is a word or a sign, which the pattern need not see.
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
    """The word that stands for a token in the vocabulary.

    Lower case; URLs, e-mail addresses and @users become a word each that names their kind, and so
    do numbers (a digit string says little and there are endlessly many) but those among
    ``numbers``; a letter or sign repeated three times or more is kept twice ("sooooo" -> "soo",
    "!!!!!" -> "!!"), but dots are always three, as an ellipsis is.
    """
    word = surface.lower()
    if word.isalpha():  # most of all tokens, and none of what follows
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
    """What to try, in order, for a normalized word that the vocabulary does not hold.

    A repeated letter taken as typed once ("soo" -> "so"), a hashtag read as its word ("#love" ->
    "love"), and a word without the number at its end ("iphone6" -> "iphone").
    """
    if not _ALTERABLE.search(word):
        return ()
    tag = "#" if word[0] == "#" and len(word) > 1 else ""
    candidates = []
    for spelling in (word, word.rstrip("0123456789")):
        squeezed = _ELONGATED.sub(_once, spelling)
        candidates += [spelling, squeezed, spelling.removeprefix(tag), squeezed.removeprefix(tag)]
    return tuple(dict.fromkeys(other for other in candidates if other not in ("", "#", word)))


def _twice(match: re.Match[str]) -> str:
    return match[1] * 2
