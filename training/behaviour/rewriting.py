"""Rewritings that change no meaning: a classifier that changes its mind over them guesses."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

Rewrite = Callable[[str, random.Random], str]

_ENDING = re.compile(r"[.!?]*\s*$")
_WORD = re.compile(r"[A-Za-z]{5,}")
_NUMBER = re.compile(r"\b[1-9]\d{1,3}\b")
_CONTRACTIONS = {
    "don't": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "isn't": "is not",
    "wasn't": "was not",
    "it's": "it is",
    "i'm": "i am",
    "can't": "cannot",
    "won't": "will not",
}
_CONTRACTED = re.compile(rf"\b({'|'.join(_CONTRACTIONS)})\b", re.IGNORECASE)
_NAMES = (
    *("James", "John", "Robert", "Michael", "William", "David", "Richard", "Thomas", "Paul"),
    *("Mary", "Linda", "Susan", "Sarah", "Karen", "Lisa", "Anna", "Maria", "Emma"),
)
_NAMED = re.compile(rf"\b({'|'.join(_NAMES)})\b")
# none that is a person's name or another word too, nor half of a team's name
_COUNTRIES = (
    *("Australia", "Austria", "Brazil", "Canada", "Denmark", "Egypt", "France", "Germany", "India"),
    *("Ireland", "Italy", "Japan", "Mexico", "Norway", "Poland", "Portugal", "Spain", "Sweden"),
)
_CITIES = (
    *("Amsterdam", "Berlin", "Boston", "Chicago", "Dallas", "Denver", "Dublin", "London"),
    *("Los Angeles", "Madrid", "Miami", "Moscow", "New York", "Rome", "Seattle", "Tokyo"),
    *("Toronto", "Vienna"),
)
_PLACED = re.compile(rf"\b({'|'.join((*_COUNTRIES, *_CITIES))})\b")
_EMOJI = ("📌", "📎", "📍", "📅", "🔎", "🔹", "🕒", "➡️")


def lower_case(text: str, _: random.Random) -> str:
    """All in lower case."""
    return text.lower()


def closing_punctuation(text: str, _: random.Random) -> str:
    """Without what closes the text, or with a full stop if nothing does."""
    bare = _ENDING.sub("", text)
    return bare if bare != text.rstrip() else f"{bare}."


def typo(text: str, chance: random.Random) -> str:
    """Two neighbouring letters within one longer word change places."""
    words = list(_WORD.finditer(text))
    if not words:
        return text
    word = chance.choice(words)
    place = word.start() + chance.randrange(1, len(word[0]) - 2)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def white_space(text: str, _: random.Random) -> str:
    """Two spaces for one."""
    return text.replace(" ", "  ")


def contraction(text: str, _: random.Random) -> str:
    """``don't`` written out, and so on."""

    def whole(match: re.Match[str]) -> str:
        written = _CONTRACTIONS[match[0].lower()]
        return written.capitalize() if match[0][0].isupper() else written

    return _CONTRACTED.sub(whole, text)


def name(text: str, chance: random.Random) -> str:
    """Another first name for each common English one."""

    def other(match: re.Match[str]) -> str:
        return chance.choice([one for one in _NAMES if one != match[0]])

    return _NAMED.sub(other, text)


def place(text: str, chance: random.Random) -> str:
    """Another country for a country, another city for a city."""

    def other(match: re.Match[str]) -> str:
        kind = _COUNTRIES if match[0] in _COUNTRIES else _CITIES
        return chance.choice([one for one in kind if one != match[0]])

    return _PLACED.sub(other, text)


def emoji(text: str, chance: random.Random) -> str:
    """With an emoji after it that carries no feeling."""
    return f"{text.rstrip()} {chance.choice(_EMOJI)}"


def number(text: str, chance: random.Random) -> str:
    """Another number of as many digits for one of two to four."""

    def other(match: re.Match[str]) -> str:
        digits = len(match[0])
        return str(chance.randrange(10 ** (digits - 1), 10**digits))

    return _NUMBER.sub(other, text)


REWRITES: Mapping[str, Rewrite] = {
    "lower case": lower_case,
    "closing punctuation": closing_punctuation,
    "typo": typo,
    "white space": white_space,
    "contraction": contraction,
    "name": name,
    "place": place,
    "number": number,
    "emoji without feeling": emoji,
}
