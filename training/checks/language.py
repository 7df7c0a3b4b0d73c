"""Check for texts in another language than most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from valence.service.errors import ConfigurationError
from valence.training.checks.finding import Finding, Severity, make_finding
from valence.training.checks.label_noise import MISSING
from valence.training.corpora.example import Example

# The language of a text with fewer letters is uncertain.
MIN_LETTERS = 40
_MAX_CHARACTERS = 500  # of a text that are read
# With a lower probability, the language is a guess among about a hundred languages.
SURE = 0.9
_MANY = 0.02


def languages(examples: Sequence[Example]) -> list[Finding]:
    """Check the languages of the texts that are long enough.

    Raises :class:`ConfigurationError` if py3langid is not installed.
    """
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ModuleNotFoundError:
        raise ConfigurationError(MISSING.format(package="py3langid")) from None
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    told: list[tuple[str, Example]] = []
    for example in examples:
        text = example.text[:_MAX_CHARACTERS]
        if sum(map(str.isalpha, text)) >= MIN_LETTERS:
            language, probability = identifier.classify(text)
            if probability >= SURE:
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
