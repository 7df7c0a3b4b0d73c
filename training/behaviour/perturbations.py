"""Perturbations that keep the meaning of a text: a good classifier keeps its prediction."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

Perturbation = Callable[[str, random.Random], str]

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
_CONTRACTION = re.compile(rf"\b({'|'.join(_CONTRACTIONS)})\b", re.IGNORECASE)
_NAMES = (
    *("James", "John", "Robert", "Michael", "William", "David", "Richard", "Thomas", "Paul"),
    *("Mary", "Linda", "Susan", "Sarah", "Karen", "Lisa", "Anna", "Maria", "Emma"),
)
_FIRST_NAME = re.compile(rf"\b({'|'.join(_NAMES)})\b")
# places that are neither a person's name, nor another word, nor part of a team's name
_COUNTRIES = (
    *("Australia", "Austria", "Brazil", "Canada", "Denmark", "Egypt", "France", "Germany", "India"),
    *("Ireland", "Italy", "Japan", "Mexico", "Norway", "Poland", "Portugal", "Spain", "Sweden"),
)
_CITIES = (
    *("Amsterdam", "Berlin", "Boston", "Chicago", "Dallas", "Denver", "Dublin", "London"),
    *("Los Angeles", "Madrid", "Miami", "Moscow", "New York", "Rome", "Seattle", "Tokyo"),
    *("Toronto", "Vienna"),
)
_PLACE = re.compile(rf"\b({'|'.join((*_COUNTRIES, *_CITIES))})\b")
_EMOJI = ("📌", "📎", "📍", "📅", "🔎", "🔹", "🕒", "➡️")


def convert_to_lower_case(text: str, _: random.Random) -> str:
    """The text in lower case."""
    return text.lower()


def change_closing_punctuation(text: str, _: random.Random) -> str:
    """The text without its closing punctuation, or with a full stop if there was none."""
    bare = _ENDING.sub("", text)
    return bare if bare != text.rstrip() else f"{bare}."


def swap_letters(text: str, chance: random.Random) -> str:
    """The text with two neighbouring letters swapped inside one longer word."""
    words = list(_WORD.finditer(text))
    if not words:
        return text
    word = chance.choice(words)
    index = word.start() + chance.randrange(1, len(word[0]) - 2)
    return text[:index] + text[index + 1] + text[index] + text[index + 2 :]


def double_spaces(text: str, _: random.Random) -> str:
    """The text with two spaces for each space."""
    return text.replace(" ", "  ")


def expand_contractions(text: str, _: random.Random) -> str:
    """The text with contractions such as ``don't`` written out."""

    def expand(match: re.Match[str]) -> str:
        expanded = _CONTRACTIONS[match[0].lower()]
        return expanded.capitalize() if match[0][0].isupper() else expanded

    return _CONTRACTION.sub(expand, text)


def replace_names(text: str, chance: random.Random) -> str:
    """The text with another first name for each common English first name."""

    def replace(match: re.Match[str]) -> str:
        return chance.choice([name for name in _NAMES if name != match[0]])

    return _FIRST_NAME.sub(replace, text)


def replace_places(text: str, chance: random.Random) -> str:
    """The text with another country for each country, another city for each city."""

    def replace(match: re.Match[str]) -> str:
        places = _COUNTRIES if match[0] in _COUNTRIES else _CITIES
        return chance.choice([place for place in places if place != match[0]])

    return _PLACE.sub(replace, text)


def append_emoji(text: str, chance: random.Random) -> str:
    """The text with an emoji at its end that carries no feeling."""
    return f"{text.rstrip()} {chance.choice(_EMOJI)}"


def replace_numbers(text: str, chance: random.Random) -> str:
    """The text with another number of as many digits for each number of two to four digits."""

    def replace(match: re.Match[str]) -> str:
        digits = len(match[0])
        return str(chance.randrange(10 ** (digits - 1), 10**digits))

    return _NUMBER.sub(replace, text)


PERTURBATIONS: Mapping[str, Perturbation] = {
    "lower case": convert_to_lower_case,
    "closing punctuation": change_closing_punctuation,
    "typo": swap_letters,
    "white space": double_spaces,
    "contraction": expand_contractions,
    "name": replace_names,
    "place": replace_places,
    "number": replace_numbers,
    "emoji without feeling": append_emoji,
}
