"""Text to tokens, for language as people type it: one implementation for training and serving.

One regular expression cuts the text into tokens. :func:`normalize` maps a token to the word that
the vocabulary has. A contraction is cut as in the Penn Treebank (``do|n't``, ``it|'s``), as it was
in the corpora of GloVe.

Scripts without spaces between words (:mod:`valence.service.classifier.scripts`) are cut as if
spaces surrounded each letter with its marks. A network over such tokens is as good as over words
that a segmenter finds (Li et al.: *Is Word Segmentation Necessary for Deep Learning of Chinese
Representations?*, ACL 2019), and it needs no dictionary.

The rules are a part of the artifact. :data:`ENGLISH` are those of the first artifacts: they cut a
whole phrase without spaces as one word, and cut words at the marks of many scripts.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from operator import itemgetter
from typing import Final, Literal, NamedTuple

from valence.service.classifier.scripts import CLUSTER, MARKS, UNSPACED

Rules = Literal["valence-english-1", "valence-scripts-1"]
ENGLISH: Final = "valence-english-1"
SCRIPTS: Final = "valence-scripts-1"

_ENGLISH_MARKS = r"\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0e31-\u0e3a\u0e47-\u0e4e"
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


def _compile(marks: str) -> re.Pattern[str]:
    r"""The pattern of a token, where a letter may have any of ``marks``, the inside of a class.

    ``\w`` alone would separate a decomposed accent from its letter ("e" + U+0301). The time is
    linear in the length of the text: a pattern that may match far and then fail has a look-behind,
    so that it starts only once in the characters that it scans.
    """
    letter = rf"(?:[^\W\d_][{marks}]*)"
    word = rf"{letter}(?:[^\W_][{marks}]*)*"  # "mp3" is a word
    return re.compile(
        "|".join(
            (
                # a plain word, the most frequent token; the rules below would cut it in the same
                # way
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
                rf"(?<![\w.])(?:{letter}\.){{2,}}{letter}?(?!\w)",  # "U.S.", "U.S.A"
                r"(?<!\w)(?:w/o|b/c)(?!\w)",
                # contractions: the stem, then "n't" or the clitic, each a token
                rf"{letter}+?(?=n{_APOSTROPHE}t(?!\w))",
                rf"n{_APOSTROPHE}t(?!\w)",
                _CLITIC,
                rf"{word}(?:(?!{_CLITIC}){_APOSTROPHE}{word})*",  # "o'clock" is a word
                r"[!?]{2,}",
                # repeated signs are one token: a line, a censored word, quotes of apostrophes
                *(rf"{re.escape(sign)}{{2,}}" for sign in ".-'*_=~$#<>"),
                r"\S",
            )
        ),
        re.IGNORECASE,
    )


_ENGLISH_TOKEN = _compile(_ENGLISH_MARKS)
_TOKEN = _compile(MARKS)
_UNSPACED = re.compile(f"[{UNSPACED}]")
# wider than needed, so that it is quick: the letters and marks that English texts hardly have
_FOREIGN = re.compile(
    r"[\u0483-\u1dff\u200c\u200d\u3005-\ufdff\ufe20-\uffff\U00010a00-\U0001efff"
    r"\U00020000-\U000fffff]"
)
# a name of a user, a letter without spaces around it, or what is between: tokens of the rules above
_STRETCH = re.compile(rf"(@\w*[{UNSPACED}]\w*|{CLUSTER})|(?:(?!@\w*[{UNSPACED}])[^{UNSPACED}])+")

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


def has_unspaced(text: str) -> bool:
    """Whether ``text`` has a letter of a script without spaces between words."""
    return not text.isascii() and _UNSPACED.search(text) is not None


def find_surfaces(text: str, rules: Rules = SCRIPTS) -> list[str]:
    """The tokens of ``text`` as written, in order, without offsets (the fast path)."""
    pattern = _ENGLISH_TOKEN if text.isascii() else _choose_pattern(text, rules)
    if pattern is not None:
        return pattern.findall(text)
    return [text[start:end] for start, end in _cut(text, rules)]


def iter_surfaces(text: str, rules: Rules = SCRIPTS) -> Iterator[str]:
    """Like :func:`find_surfaces`, one token at a time."""
    for start, end in _cut(text, rules):
        yield text[start:end]


def tokenize(text: str, rules: Rules = SCRIPTS) -> list[Token]:
    """The tokens of ``text`` in order, with their offsets."""
    return list(iter_tokens(text, rules))


def iter_tokens(text: str, rules: Rules = SCRIPTS) -> Iterator[Token]:
    """Like :func:`tokenize`, one token at a time."""
    for start, end in iter_spans(text, rules):
        yield Token(text[start:end], start, end)


def iter_spans(text: str, rules: Rules = SCRIPTS) -> Iterator[tuple[int, int]]:
    """Start and end of each token of ``text``, in order."""
    end = 0
    # Tokens do not have white space, and only white space is outside tokens. So a piece between
    # white space is a sequence of tokens. Most pieces are one word or one sign, without the
    # pattern.
    for piece in text.split():
        end = text.index(piece, end)
        pattern = _ENGLISH_TOKEN if piece.isascii() else _choose_pattern(piece, rules)
        if len(piece) == 1 or (pattern is _ENGLISH_TOKEN and piece.isalpha()):
            start, end = end, end + len(piece)
            yield start, end
            continue
        first = end
        if pattern is None:
            for cut_start, cut_end in _cut(piece, rules):
                start, end = first + cut_start, first + cut_end
                yield start, end
            continue
        for match in pattern.finditer(piece):
            start, end = first + match.start(), first + match.end()
            yield start, end


def _choose_pattern(text: str, rules: Rules) -> re.Pattern[str] | None:
    """The quickest pattern of the tokens of ``text``; None if one pattern does not find them."""
    if rules == ENGLISH or _FOREIGN.search(text) is None:
        return _ENGLISH_TOKEN
    return None if _UNSPACED.search(text) else _TOKEN


def _cut(text: str, rules: Rules) -> Iterator[tuple[int, int]]:
    """Start and end of each token of ``text``."""
    pattern = _choose_pattern(text, rules)
    if pattern is not None:
        for match in pattern.finditer(text):
            yield match.span()
        return
    for stretch in _STRETCH.finditer(text):
        if stretch.lastindex:
            yield stretch.span()
            continue
        # the stretch is copied: its neighbours must not decide how it is cut
        first = stretch.start()
        for match in _TOKEN.finditer(stretch[0]):
            yield first + match.start(), first + match.end()


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
