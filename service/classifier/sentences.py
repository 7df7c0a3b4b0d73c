"""Split texts into sentences, for English as people type it.

The splitter is a set of rules over the tokenizer's tokens, not a trained model. Rules are fast, and
the code explains their mistakes. Text in lower case, without punctuation or with emoticons is as
usual here as edited prose.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

from valence.service.classifier.tokenizer import SCRIPTS, Rules, Token, is_emoticon, iter_tokens

# abbreviations whose period does not end a sentence
_TITLES = frozenset({
    "mr", "mrs", "ms", "mx", "dr", "prof", "st", "mt", "sen", "rep", "gov", "gen", "col",
    "capt", "cpt", "cmdr", "lt", "maj", "sgt", "adm", "rev", "msgr",
    "amb", "insp", "supt", "det", "messrs", "mme", "mlle", "vs", "viz", "cf", "approx", "ca",
    "dept", "univ", "assn", "esp", "incl", "excl", "e.g.", "i.e.",
    "a.k.a.", "w.r.t.", "ph.d.",
})  # fmt: skip
# abbreviations whose period does not end a sentence before a number
_NUMBERED = frozenset({
    "no", "nos", "fig", "figs", "p", "pp", "vol", "sec", "ch", "art", "eq", "jan", "feb",
    "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
})  # fmt: skip
# abbreviations whose period ends a sentence only before a word of _STARTERS
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
# ends of sentences without a space after them
_WIDE = re.compile(r"[\u3002\uff01\uff1f\uff61]")
_CLOSER = re.compile(r"[)\]}\"'\u2019\u201d\u00bb\u300d\u300f\uff09]|''+")
_GOES_ON = re.compile(r"[,;:%&)\]}/\u00bb\u2013\u2014]|--+")
# quotes, brackets and bullets before the first word of a sentence
_MAX_OPENERS = 3
# gaps between two tokens that do not end a sentence by themselves
_PLAIN_GAPS = ("", " ")
_FULL_STOP = re.compile(rf"\.|{_STRONG.pattern}|{_ELLIPSIS.pattern}|{_WIDE.pattern}")
_LINE_END = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")


class Span(NamedTuple):
    """A part of a text, ``text[start:end]``; offsets count code points."""

    start: int
    end: int


def split_sentences(text: str, rules: Rules = SCRIPTS) -> list[Span]:
    """The sentences of ``text`` in order, without overlap. Only white space is between them.

    A sentence ends at ``.``, ``!``, ``?`` or an ellipsis with the quotes, brackets, emoticons and
    emoji that close it; at an emoticon before a capital; at a blank line; and at the end of a line,
    unless the next line begins in lower case. Every sentence has more than punctuation, except the
    sentence of a text of punctuation alone. The time is linear in the length of the text.
    """
    return [span for span in iter_sentences(text, rules) if span is not None]


def iter_sentences(text: str, rules: Rules = SCRIPTS) -> Iterator[Span | None]:
    """Like :func:`split_sentences`, but in small steps, so that the caller can pause.

    Each step yields a sentence or None. Most steps yield None.
    """
    tokens: list[Token] = []
    for token in iter_tokens(text, rules):
        tokens.append(token)
        yield None
    # Few words of a text are distinct. The cache lives only as long as this text.
    kinds: dict[str, tuple[bool, bool]] = {}
    last: Span | None = None
    first = after = 0
    has_word = False
    while after < len(tokens):
        at = after
        surface, _, end = tokens[at]
        kind = kinds.get(surface)
        if kind is None:
            kind = kinds[surface] = _is_word(surface), _may_end(surface)
        is_word, may_end = kind
        after += 1
        if may_end:
            after, is_word = yield from _skip_closers(tokens, at)
        has_word = has_word or is_word
        if after == len(tokens):
            break
        if not may_end and text[end : tokens[after].start] in _PLAIN_GAPS:  # most tokens
            yield None
        elif has_word and _is_end(text, tokens, first=first, at=at, after=after):
            # hold the last sentence back, because punctuation at the end of the text joins it
            yield last
            last = Span(tokens[first].start, tokens[after - 1].end)
            first, has_word = after, False
        else:
            yield None
    if not tokens:
        return
    rest = Span(tokens[first].start, tokens[-1].end)
    if has_word or last is None:
        yield last
        yield rest
    else:  # the rest is only punctuation and joins the last sentence
        yield Span(last.start, rest.end)


def is_full_stop(surface: str) -> bool:
    """Whether a token is a mark that ends a sentence, such as ``.``, ``?!`` or ``...``."""
    return _FULL_STOP.fullmatch(surface) is not None


def _is_word(surface: str) -> bool:
    """Whether a token says something: a word, a number, an emoticon or an emoji."""
    return any(map(str.isalnum, surface)) or is_emoticon(surface)


def _may_end(surface: str) -> bool:
    if surface.isalnum():  # most tokens
        return is_emoticon(surface)
    return is_full_stop(surface) or _ACRONYM.fullmatch(surface) is not None or is_emoticon(surface)


def _skip_closers(tokens: Sequence[Token], at: int) -> Generator[None, None, tuple[int, bool]]:
    """The index after the token ``at``, which may end a sentence, and after its closing tokens.

    Also whether one of these tokens says something. In steps, because a text may have no others.
    """
    after = at + 1
    is_word = _is_word(tokens[at].surface)
    while after < len(tokens):
        token = tokens[after]
        touches = token.start == tokens[after - 1].end
        if not (touches and _CLOSER.fullmatch(token.surface)) and (
            not _may_end(token.surface) or _ACRONYM.fullmatch(token.surface)
        ):
            break
        is_word = is_word or _is_word(token.surface)
        after += 1
        yield
    return after, is_word


def _is_end(text: str, tokens: Sequence[Token], *, first: int, at: int, after: int) -> bool:
    """Whether the sentence that begins at ``first`` ends before the token ``after``.

    The token ``at`` may end it. The tokens between ``at`` and ``after`` close it.
    """
    gap = text[tokens[after - 1].end : tokens[after].start]
    ending, surface, following = tokens[at:after], tokens[at].surface, tokens[after].surface
    lines = len(_LINE_END.findall(gap))
    if lines > 1 or "\u2029" in gap or (lines and not following[0].islower()):
        return True
    if not gap:
        return _WIDE.fullmatch(surface) is not None
    if _GOES_ON.fullmatch(following) or not _may_end(surface):
        return False
    if all(_STRONG.fullmatch(token.surface) for token in ending):
        return True
    word = _next_word(tokens, after)
    if len(ending) == 1 and (surface == "." or _ACRONYM.fullmatch(surface)):
        return not _is_abbreviation(tokens, first=first, at=at, following=word)
    # after a quotation, an ellipsis or an emoticon, lower case continues the sentence
    return not word[:1].islower()


def _is_abbreviation(tokens: Sequence[Token], *, first: int, at: int, following: str) -> bool:
    """Whether the period at ``at`` belongs to an abbreviation and does not end a sentence."""
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


def _next_word(tokens: Sequence[Token], after: int) -> str:
    """The next word after opening quotes and brackets; empty if the next token is not a word."""
    for token in tokens[after : after + _MAX_OPENERS]:
        if token.surface[0].isalnum():
            return token.surface
    return ""
