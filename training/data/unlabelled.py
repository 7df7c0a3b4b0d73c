"""Texts that are learnt from without their labels, without copies of labelled texts."""

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
from valence.training.corpora.files import encoding_warning
from valence.training.data import near_duplicates
from valence.training.data.split import Splits
from valence.training.runtime.progress import Reporter

# The line breaks of web pages, and so of reviews.
_BREAK = re.compile(r"(?:<br\s*/?>\s*)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Texts without labels, or whose labels are ignored, and the records of their origin."""

    examples: tuple[Example, ...] = ()
    records: tuple[CorpusRecord, ...] = ()


def load_unlabelled(
    settings: UnlabelledTexts | None, splits: Splits, *, cache: Path, reporter: Reporter
) -> Unlabelled:
    """The texts that ``settings`` name, whatever their labels, without copies of labelled texts."""
    if settings is None:
        return Unlabelled()
    loaded = catalog.load_corpora(
        settings.corpora,
        cache=cache,
        patterns=settings.files,
        columns=Columns(settings.text, "", settings.encoding) if settings.files else None,
        progress=reporter.say,
    )
    # The data checks cover labelled texts only, so the doubt about an encoding is reported here.
    for record in loaded.records:
        if warning := encoding_warning(record):
            reporter.say(warning)
    kept = tuple(_drop_labelled(loaded.examples, splits))
    copies = len(loaded.examples) - len(kept)
    reporter.say(f"{len(kept):,} texts without labels; {copies:,} copies of labelled ones left out")
    return Unlabelled(kept, loaded.records)


def select_for_teacher(
    unlabelled: Unlabelled, settings: Distillation | None, splits: Splits, *, reporter: Reporter
) -> tuple[Example, ...]:
    """The texts of ``unlabelled``, or their sentences, that a teacher will label.

    Leaves out near-duplicates of dev and test texts. If there are more than ``settings.limit``, the
    texts with the smallest hashes stay, so that the choice of a text does not depend on the others.
    """
    if settings is None or not unlabelled.examples:
        return ()
    examples: Iterable[Example] = unlabelled.examples
    if settings.sentences:
        examples = _drop_labelled(_split_sentences(unlabelled.examples), splits)
    candidates = _limit(tuple(examples), settings.limit)
    found = near_duplicates.find_near_duplicates(candidates, (*splits.dev, *splits.test))
    kept = tuple(example for example, other in zip(candidates, found, strict=False) if other < 0)
    reporter.say(
        f"a teacher will label {len(kept):,} of these texts or of their sentences; near-duplicates "
        "of dev and test texts, and texts over the limit, are left out"
    )
    return kept


def _drop_labelled(examples: Iterable[Example], splits: Splits) -> Iterator[Example]:
    """The examples that are not copies of a labelled text."""
    labelled = {example.normal_form for example in (*splits.train, *splits.dev, *splits.test)}
    return (example for example in examples if example.normal_form not in labelled)


def _split_sentences(examples: Iterable[Example]) -> Iterator[Example]:
    """Each different sentence once."""
    seen: set[str] = set()
    for example in examples:
        text = _BREAK.sub("\n\n", example.text)
        for start, end in split_sentences(text):
            sentence = replace(example, text=text[start:end])
            if sentence.normal_form and sentence.normal_form not in seen:
                seen.add(sentence.normal_form)
                yield sentence


def _limit(examples: tuple[Example, ...], limit: int | None) -> tuple[Example, ...]:
    if limit is None or len(examples) <= limit:
        return examples
    hashes = [
        hashlib.sha256(example.text.encode("utf-8", "surrogatepass")).digest()
        for example in examples
    ]
    highest = sorted(hashes)[limit - 1]
    return tuple(
        example for example, digest in zip(examples, hashes, strict=True) if digest <= highest
    )
