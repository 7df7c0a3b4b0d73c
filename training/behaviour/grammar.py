"""Words in English sentences: their articles and their capital letters."""

from __future__ import annotations


def add_article(word: str) -> str:
    """``word`` after "a" or "an"."""
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"


def capitalize(text: str) -> str:
    """``text`` with a capital first letter."""
    return text[:1].upper() + text[1:]
