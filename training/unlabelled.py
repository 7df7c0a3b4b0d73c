"""Texts to learn from without their labels: none is a labelled text, or like one that judges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from service.classifier.manifest import CorpusRecord
from training import corpora, near_copies
from training.configuration import UnlabelledTexts
from training.corpora import Example, Table
from training.corpora.files import doubt
from training.folding import fold
from training.progress import Reporter
from training.split import Splits


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Texts whose labels, if they have some, are not looked at, and where they came from."""

    examples: tuple[Example, ...] = ()
    records: tuple[CorpusRecord, ...] = ()


def load_unlabelled(
    settings: UnlabelledTexts | None, splits: Splits, *, cache: Path, reporter: Reporter
) -> Unlabelled:
    """The texts that ``settings`` name, whatever their labels say.

    Copies of the labelled texts are left out, and near-copies of dev and test texts.
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
    new = [one for one in loaded.examples if fold(one.text) not in labelled]
    found = near_copies.near_copies(
        [one.text for one in new], [one.text for one in (*splits.dev, *splits.test)]
    )
    kept = tuple(one for one, other in zip(new, found, strict=False) if other < 0)
    reporter.say(
        f"{len(kept):,} texts without labels; {len(loaded.examples) - len(kept):,} are left out, "
        "for labelled texts are like them"
    )
    return Unlabelled(kept, loaded.records)
