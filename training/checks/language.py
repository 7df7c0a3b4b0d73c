"""Detect the language of texts, and find texts in another language than most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from valence.service.monitoring.language import (
    MAX_CHARACTERS,
    MIN_LETTERS,
    SURE,
    load_identifier,
    tell_language,
)
from valence.training.checks.finding import Finding, Severity, make_finding
from valence.training.corpora.example import Example

_MANY = 0.02
# Short texts are judged together, in passages of so many letters; so many passages tell a language.
_PASSAGE_LETTERS, _PASSAGES = 200, 200


def detect_language(texts: Sequence[str]) -> str | None:
    """The ISO 639-1 code of the language of most of ``texts``, judged by a sample.

    None if no language has more than half of the sample.
    """
    identify = load_identifier()
    told = [identify(passage) for passage in _collect_passages(texts)]
    counts = Counter(language for language, probability in told if probability >= SURE)
    language, count = next(iter(counts.most_common(1)), ("", 0))
    return language if 2 * count > len(told) else None


def _collect_passages(texts: Sequence[str]) -> list[str]:
    """The passages that a sample of ``texts`` gives, the same for the same texts."""
    passages: list[str] = []
    parts: list[str] = []
    letters = 0
    places = np.random.default_rng(0).permutation(len(texts))
    for place in places.tolist():
        text = texts[place][:MAX_CHARACTERS]
        parts.append(text)
        letters += sum(map(str.isalpha, text))
        if letters >= _PASSAGE_LETTERS:
            passages.append(" ".join(parts))
            parts, letters = [], 0
            if len(passages) == _PASSAGES:
                return passages
    if not passages and letters >= MIN_LETTERS:
        passages.append(" ".join(parts))
    return passages


def languages(examples: Sequence[Example]) -> list[Finding]:
    """Check the languages of the texts that are long enough."""
    told: list[tuple[str, Example]] = []
    for example in examples:
        language = tell_language(example.text)
        if language is not None:
            told.append((language, example))
    if not told:
        return []
    counts = Counter(language for language, _ in told)
    main = counts.most_common(1)[0][0]
    strange = [example for language, example in told if language != main]
    if not strange:
        return []
    others = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(6)[1:])
    message = (
        f"texts that seem to be in another language than most ({main}): {others}; remove them, or "
        "make sure that texts like them are there in number"
    )
    severity: Severity = "warning" if len(strange) > _MANY * len(told) else "note"
    return [make_finding("language", severity, strange, len(told), message)]
