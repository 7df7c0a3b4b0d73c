"""The words of a classifier, chosen from the training texts by torchtext."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from torchtext.vocab import Vocab
from valence.service.classifier import tokenizer
from valence.service.classifier.manifest import Misspelled
from valence.service.classifier.vocabulary import UNKNOWN, Vocabulary
from valence.training.config.schema import Numbers

_MOST_DIGITS = 7  # telephones, cards and accounts have more, and a vocabulary is published


def build(
    texts: Iterable[str],
    *,
    minimum_count: int,
    maximum_words: int,
    misspelled: Misspelled = "unknown",
    numbers: Numbers = "alike",
    unseen: Iterable[str] = (),
) -> Vocabulary:
    """The words seen ``minimum_count`` times or more, most frequent first, after ``<unk>``.

    Numbers are one word together, or where ``numbers`` have their ``"own"``, those that are seen so
    often are words, and the others one. After these come those of ``unseen`` that are not among
    them and that a text can hold, each as one word; ``maximum_words`` does not count them.
    """
    surfaces = Counter(surface for text in texts for surface in tokenizer.find_surfaces(text))
    own = _numbers(surfaces, minimum_count) if numbers == "own" else frozenset()
    counts: Counter[str] = Counter()
    for surface, count in surfaces.items():  # each spelling is normalized once
        counts[tokenizer.normalize(surface, own)] += count
    for word in [word for word in counts if "\ud800" <= word <= "\udfff"]:
        del counts[word]  # half a character, always a token of its own: no file can hold it
    words = Vocab(counts, max_size=maximum_words, min_freq=minimum_count, specials=[UNKNOWN])
    more = (word for word in unseen if word not in words.stoi and _is_one(word))
    return Vocabulary((*words.itos, *dict.fromkeys(more)), misspelled=misspelled)


def _numbers(surfaces: Counter[str], minimum_count: int) -> frozenset[str]:
    """The numbers that are seen ``minimum_count`` times or more, and may be made public."""
    counts: Counter[str] = Counter()
    for surface, count in surfaces.items():
        short = sum(map(str.isdigit, surface)) <= _MOST_DIGITS
        if short and tokenizer.normalize(surface) == tokenizer.NUMBER:
            counts[surface.lower()] += count
    return frozenset(number for number, count in counts.items() if count >= minimum_count)


def _is_one(word: str) -> bool:
    return tokenizer.find_surfaces(word) == [word] and tokenizer.normalize(word) == word
