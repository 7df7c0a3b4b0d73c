"""The language of a text, by py3langid where it is installed.

The model of py3langid covers 97 languages (M. Lui, T. Baldwin, *langid.py: An Off-the-shelf
Language Identification Tool*, ACL 2012).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

# The language of a text with fewer letters is uncertain.
MIN_LETTERS = 40
MAX_CHARACTERS = 500  # of a text that are read
# With a lower probability, the language is a guess among about a hundred languages.
SURE = 0.9


@functools.cache
def load_identifier() -> Callable[[str], tuple[str, float]]:
    """The function from a text to its language (ISO 639-1) and the probability of the language.

    It takes half a second. Raises ``ImportError`` without py3langid.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    classify: Callable[[str], tuple[str, float]] = LanguageIdentifier.from_model_file(
        MODEL_FILE, norm_probs=True
    ).classify
    return classify


def is_available() -> bool:
    """Whether languages can be told; the first call takes half a second."""
    try:
        load_identifier()
    except ImportError:
        return False
    return True


def tell_language(text: str) -> str | None:
    """The language of ``text``; None if it is not known for sure."""
    text = text[:MAX_CHARACTERS]
    if sum(map(str.isalpha, text)) < MIN_LETTERS:
        return None
    language, probability = load_identifier()(text)
    return language if probability >= SURE else None
