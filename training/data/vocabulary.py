"""Build the vocabulary of a classifier from the training texts, by torchtext."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from torchtext.vocab import Vocab
from valence.service.classifier import tokenizer
from valence.service.classifier.emoji import normalize_emoji
from valence.service.classifier.vocabulary import UNKNOWN, Vocabulary
from valence.training.config.schema import Text

_MAX_DIGITS = 7  # phone, card and account numbers have more, and a vocabulary is public


def build_vocabulary(
    texts: Iterable[str], settings: Text, *, unseen: Iterable[str] = ()
) -> Vocabulary:
    """The words that occur ``minimum_count`` times or more, most frequent first, after ``<unk>``.

    All numbers are one word. With ``numbers = "own"``, numbers that occur so often are words of
    their own, and the other numbers are one word. With ``emoji = "named"``, an emoji is one word in
    every skin tone. Then come the other words of ``unseen`` that the tokenizer keeps as one word;
    ``maximum_words`` does not count them.
    """
    surfaces = Counter(surface for text in texts for surface in tokenizer.find_surfaces(text))
    own_numbers = (
        _frequent_numbers(surfaces, settings.minimum_count)
        if settings.numbers == "own"
        else frozenset()
    )
    counts: Counter[str] = Counter()
    for surface, count in surfaces.items():  # each spelling is normalized once
        word = tokenizer.normalize(surface, own_numbers)
        counts[normalize_emoji(word) if settings.emoji == "named" else word] += count
    for word in [word for word in counts if "\ud800" <= word <= "\udfff"]:
        del counts[word]  # an unpaired surrogate, always a token of its own: files cannot store it
    words = Vocab(
        counts,
        max_size=settings.maximum_words,
        min_freq=settings.minimum_count,
        specials=[UNKNOWN],
    )
    added = (word for word in unseen if word not in words.stoi and _is_single_token(word))
    return Vocabulary(
        (*words.itos, *dict.fromkeys(added)),
        misspelled=settings.misspelled,
        emoji=settings.emoji,
    )


def holds_mostly_numbers(texts: Iterable[str]) -> bool:
    """Whether more than half of the words of ``texts`` are numbers.

    A word is a token with a letter or a digit.
    """
    words = numbers = 0
    for text in texts:
        for surface in tokenizer.find_surfaces(text):
            if any(map(str.isalnum, surface)):
                words += 1
                numbers += surface[0].isdigit()
    return numbers > words / 2


def _frequent_numbers(surfaces: Counter[str], minimum_count: int) -> frozenset[str]:
    """The numbers that occur ``minimum_count`` times or more and are short enough to publish."""
    counts: Counter[str] = Counter()
    for surface, count in surfaces.items():
        is_short = sum(map(str.isdigit, surface)) <= _MAX_DIGITS
        if is_short and tokenizer.normalize(surface) == tokenizer.NUMBER:
            counts[surface.lower()] += count
    return frozenset(number for number, count in counts.items() if count >= minimum_count)


def _is_single_token(word: str) -> bool:
    return tokenizer.find_surfaces(word) == [word] and tokenizer.normalize(word) == word
