"""Where a text's sentences begin and end, for English as people type it.

Rules over the tokenizer's tokens rather than a trained model: they are fast, their mistakes can be
read off the code, and lower-case, unpunctuated and smiling text is as usual here as edited prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from valence.service.classifier.tokenizer import Token, is_emoticon, iter_tokens

# what a period follows without ending a sentence
_TITLES = frozenset({
    "mr", "mrs", "ms", "mx", "dr", "prof", "st", "mt", "sen", "rep", "gov", "gen", "col",
    "capt", "cpt", "cmdr", "lt", "maj", "sgt", "adm", "rev", "msgr",
    "amb", "insp", "supt", "det", "messrs", "mme", "mlle", "vs", "viz", "cf", "approx", "ca",
    "dept", "univ", "assn", "esp", "incl", "excl", "e.g.", "i.e.",
    "a.k.a.", "w.r.t.", "ph.d.",
})  # fmt: skip
# ... before a number
_NUMBERED = frozenset({
    "no", "nos", "fig", "figs", "p", "pp", "vol", "sec", "ch", "art", "eq", "jan", "feb",
    "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
})  # fmt: skip
# ... unless what follows is a usual beginning of a sentence
_SUFFIXES = frozenset({
    "jr", "sr", "inc", "ltd", "co", "corp", "bros", "llc", "plc", "ave", "blvd", "rd", "al",
    "a.m.", "p.m.", "etc",
})  # fmt: skip
_STARTERS = frozenset({
    "a", "an", "and", "as", "at", "but", "by", "for", "from", "he", "her", "here", "his",
    "how", "however", "i", "if", "in", "it", "its", "meanwhile", "my", "no", "not", "of", "on",
    "our", "she", "so", "some", "that", "the", "their", "then", "there", "these", "they",
    "this", "those", "to", "we", "what", "when", "where", "which", "while", "who", "why",
    "with", "yet", "you", "your",
})  # fmt: skip
_ACRONYM = re.compile(r"(?:[^\W\d_]\.){2,}")
_STRONG = re.compile(r"[!?\u203c\u203d\u2047-\u2049]+")
_ELLIPSIS = re.compile(r"\.{2,}|\u2026")
# these are followed by no space
_WIDE = re.compile(r"[\u3002\uff01\uff1f\uff61]")
_CLOSER = re.compile(r"[)\]}\"'\u2019\u201d\u00bb\u300d\u300f\uff09]|''+")
_GOES_ON = re.compile(r"[,;:%&)\]}/\u00bb\u2013\u2014]|--+")
# quotes, brackets, bullets before a sentence's first word
_MOST_OPENERS = 3
# what between two tokens ends nothing by itself
_WITHIN = ("", " ")
_LINE_END = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")


class Span(NamedTuple):
    """A part of a text, ``text[start:end]``; offsets count code points."""

    start: int
    end: int


def split_sentences(text: str) -> list[Span]:
    """The sentences of ``text`` in order: they do not overlap and leave out only white space.

    A sentence ends at ``.``, ``!``, ``?`` or an ellipsis with the quotes, brackets, emoticons and
    emoji that close it, at an emoticon before a capital, at a blank line, and at the end of a line
    unless the next one goes on in lower case. Every sentence but a text's only one holds more than
    punctuation. Time is linear in the text.
    """
    return [span for span in iter_sentences(text) if span is not None]


def iter_sentences(text: str) -> Iterator[Span | None]:
    """As :func:`split_sentences`, in small steps, so that a long text can be left for a while.

    Of each step what it found, None of most.
    """
    tokens: list[Token] = []
    for token in iter_tokens(text):
        tokens.append(token)
        yield None
    # a text has few words that differ; of none is more kept than as long as it is read
    kinds: dict[str, tuple[bool, bool]] = {}
    last: Span | None = None
    first = place = 0
    worded = False
    while place < len(tokens):
        at = place
        surface, _, end = tokens[at]
        kind = kinds.get(surface)
        if kind is None:
            kind = kinds[surface] = _says(surface), _may_end(surface)
        says, may_end = kind
        place += 1
        if may_end:
            place = _closed(tokens, at)
            says = any(_says(token.surface) for token in tokens[at:place])
        worded = worded or says
        if place == len(tokens):
            break
        if not may_end and text[end : tokens[place].start] in _WITHIN:  # most tokens
            yield None
        elif worded and _ends(text, tokens, first=first, at=at, after=place):
            # what comes last is held back: it may turn out to have more to close it
            yield last
            last = Span(tokens[first].start, tokens[place - 1].end)
            first, worded = place, False
        else:
            yield None
    if not tokens:
        return
    whole = Span(tokens[first].start, tokens[-1].end)
    if worded or last is None:
        yield last
        yield whole
    else:  # only punctuation is left: it closes what was said last
        yield Span(last.start, whole.end)


def _says(surface: str) -> bool:
    return any(map(str.isalnum, surface)) or is_emoticon(surface)


def _may_end(surface: str) -> bool:
    if surface.isalnum():  # most tokens
        return is_emoticon(surface)
    kinds = (_STRONG, _ELLIPSIS, _WIDE, _ACRONYM)
    return surface == "." or any(kind.fullmatch(surface) for kind in kinds) or is_emoticon(surface)


def _closed(tokens: Sequence[Token], at: int) -> int:
    """The place after the token ``at``, which may end a sentence, and after all that closes it."""
    after = at + 1
    while after < len(tokens):
        token = tokens[after]
        touches = token.start == tokens[after - 1].end
        if not (touches and _CLOSER.fullmatch(token.surface)) and (
            not _may_end(token.surface) or _ACRONYM.fullmatch(token.surface)
        ):
            break
        after += 1
    return after


def _ends(text: str, tokens: Sequence[Token], *, first: int, at: int, after: int) -> bool:
    """Whether the sentence that begins at ``first`` ends before the token ``after``.

    ``at`` is the place of what may end it; those between close it.
    """
    gap = text[tokens[after - 1].end : tokens[after].start]
    ended, surface, beyond = tokens[at:after], tokens[at].surface, tokens[after].surface
    lines = len(_LINE_END.findall(gap))
    if lines > 1 or "\u2029" in gap or (lines and not beyond[0].islower()):
        return True
    if not gap:
        return _WIDE.fullmatch(surface) is not None
    if _GOES_ON.fullmatch(beyond) or not _may_end(surface):
        return False
    if all(_STRONG.fullmatch(token.surface) for token in ended):
        return True
    following = _following(tokens, after)
    if len(ended) == 1 and (surface == "." or _ACRONYM.fullmatch(surface)):
        return not _abbreviates(tokens, first=first, at=at, following=following)
    # a quotation, an ellipsis, a smile: lower case goes on with the sentence around it
    return not following[:1].islower()


def _abbreviates(tokens: Sequence[Token], *, first: int, at: int, following: str) -> bool:
    """Whether the period at ``at`` shortens a word rather than ends a sentence."""
    token = tokens[at]
    if token.surface == ".":
        if at == first or tokens[at - 1].end != token.start:
            return False
        token = tokens[at - 1]
    word = token.surface.lower()
    capital = following[:1].isupper()
    starts = capital and following.lower() in _STARTERS and following != "A"
    if word in _SUFFIXES or _ACRONYM.fullmatch(word):
        return word in _TITLES or not (starts or (word == "etc" and capital))
    if len(word) == 1 and word.isalpha() and word != "i":  # an initial
        return capital and not starts
    if word.isdecimal():  # "1. First of all"
        return token is tokens[first]
    return word in _TITLES or (word in _NUMBERED and following[:1].isdigit())


def _following(tokens: Sequence[Token], after: int) -> str:
    """The next word, past what may stand before one; empty if it is no word."""
    for token in tokens[after : after + _MOST_OPENERS]:
        if token.surface[0].isalnum():
            return token.surface
    return ""
