"""Texts to learn from without their labels: none is a labelled text, or like one that judges."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from valence.service.classifier.manifest import CorpusRecord
from valence.service.classifier.sentences import split_sentences
from valence.training.config.columns import Columns
from valence.training.config.schema import Distillation, UnlabelledTexts
from valence.training.corpora import catalog
from valence.training.corpora.example import Example
from valence.training.corpora.files import doubt
from valence.training.corpora.normal_form import fold
from valence.training.data import near_duplicates
from valence.training.data.split import Splits
from valence.training.runtime.progress import Reporter

# how web pages, and so reviews, end a line
_BREAK = re.compile(r"(?:<br\s*/?>\s*)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Texts whose labels, if they have some, are not looked at, and where they came from."""

    examples: tuple[Example, ...] = ()
    records: tuple[CorpusRecord, ...] = ()


def load_unlabelled(
    settings: UnlabelledTexts | None, splits: Splits, *, cache: Path, reporter: Reporter
) -> Unlabelled:
    """The texts that ``settings`` name, whatever their labels say, but copies of labelled texts."""
    if settings is None:
        return Unlabelled()
    loaded = catalog.load(
        settings.corpora,
        cache=cache,
        own=settings.files,
        table=Columns(settings.text, "", settings.encoding) if settings.files else None,
        progress=reporter.say,
    )
    # the checks look at labelled texts alone
    for record in loaded.records:
        if message := doubt(record):
            reporter.say(message)
    kept = tuple(_new(loaded.examples, splits))
    copies = len(loaded.examples) - len(kept)
    reporter.say(f"{len(kept):,} texts without labels; {copies:,} copies of labelled ones left out")
    return Unlabelled(kept, loaded.records)


def to_label(
    unlabelled: Unlabelled, settings: Distillation | None, splits: Splits, *, reporter: Reporter
) -> tuple[Example, ...]:
    """What a teacher is to label of ``unlabelled``: texts or their sentences, as ``settings`` say.

    Near-copies of dev and test texts are left out. Of more than the limit those stay whose hashes
    are least, so that a text's fate is not in other texts' hands.
    """
    if settings is None or not unlabelled.examples:
        return ()
    cut = _new(_cut(unlabelled.examples), splits) if settings.sentences else unlabelled.examples
    some = _limited(tuple(cut), settings.limit)
    found = near_duplicates.near_copies(
        [one.text for one in some], [one.text for one in (*splits.dev, *splits.test)]
    )
    kept = tuple(one for one, other in zip(some, found, strict=False) if other < 0)
    reporter.say(
        f"{len(kept):,} of them, or of their sentences, are to be labelled; left out are "
        "near-copies of dev and test texts, and what is over the limit"
    )
    return kept


def _new(examples: Iterable[Example], splits: Splits) -> Iterator[Example]:
    """Those that are no copies of a labelled text."""
    labelled = {fold(one.text) for one in (*splits.train, *splits.dev, *splits.test)}
    return (one for one in examples if fold(one.text) not in labelled)


def _cut(examples: Iterable[Example]) -> Iterator[Example]:
    """Each sentence once."""
    seen: set[str] = set()
    for example in examples:
        text = _BREAK.sub("\n\n", example.text)
        for start, end in split_sentences(text):
            key = fold(text[start:end])
            if key and key not in seen:
                seen.add(key)
                yield replace(example, text=text[start:end])


def _limited(examples: tuple[Example, ...], limit: int | None) -> tuple[Example, ...]:
    if limit is None or len(examples) <= limit:
        return examples
    hashes = [hashlib.sha256(_bytes(one.text)).digest() for one in examples]
    highest = sorted(hashes)[limit - 1]
    return tuple(one for one, of in zip(examples, hashes, strict=True) if of <= highest)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
