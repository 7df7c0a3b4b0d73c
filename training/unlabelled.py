"""Texts to learn from without their labels: none is a labelled text, or like one that judges."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from service.classifier.manifest import CorpusRecord
from service.classifier.sentences import sentences
from training import corpora, near_copies
from training.configuration import UnlabelledTexts
from training.corpora import Example, Table
from training.corpora.files import doubt
from training.folding import fold
from training.progress import Reporter
from training.split import Splits

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
    """The texts that ``settings`` name, or their sentences, whatever their labels say.

    Copies of the labelled texts are left out, and near-copies of dev and test texts. Of more than
    the limit those stay whose hashes are least, so that a text's fate is not in other texts' hands.
    """
    if settings is None or not (settings.corpora or settings.files):
        return Unlabelled()
    loaded = corpora.load(
        settings.corpora,
        cache=cache,
        own=settings.files,
        table=Table(settings.text, "", settings.encoding) if settings.files else None,
        progress=reporter.say,
    )
    # the checks look at labelled texts alone
    for record in loaded.records:
        if message := doubt(record):
            reporter.say(message)
    labelled = {fold(one.text) for one in (*splits.train, *splits.dev, *splits.test)}
    read = tuple(_cut(loaded.examples) if settings.sentences else loaded.examples)
    new = _limited([one for one in read if fold(one.text) not in labelled], settings.limit)
    found = near_copies.near_copies(
        [one.text for one in new], [one.text for one in (*splits.dev, *splits.test)]
    )
    kept = tuple(one for one, other in zip(new, found, strict=False) if other < 0)
    reporter.say(
        f"{len(kept):,} of {len(read):,} texts without labels are read; left out are those that "
        "labelled texts are like, and what is over the limit"
    )
    return Unlabelled(kept, loaded.records)


def _cut(examples: Iterable[Example]) -> Iterator[Example]:
    """Each sentence once."""
    seen: set[str] = set()
    for example in examples:
        text = _BREAK.sub("\n\n", example.text)
        for start, end in sentences(text):
            key = fold(text[start:end])
            if key and key not in seen:
                seen.add(key)
                yield replace(example, text=text[start:end])


def _limited(examples: list[Example], limit: int | None) -> list[Example]:
    if limit is None or len(examples) <= limit:
        return examples
    hashes = [hashlib.sha256(_bytes(one.text)).digest() for one in examples]
    highest = sorted(hashes)[limit - 1]
    return [one for one, of in zip(examples, hashes, strict=True) if of <= highest]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
