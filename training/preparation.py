"""From corpora to what is fitted and judged: splits, vocabulary, word ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.classifier.vocabulary import Vocabulary
from service.errors import ConfigurationError
from training import corpora, near_copies, vocabulary
from training.batches import EncodedTexts
from training.configuration import Configuration
from training.corpora import Loaded
from training.progress import Reporter
from training.split import Splits, digest, split


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where things lie between runs: fetched archives, and runs that were interrupted."""

    root: Path

    @property
    def corpora(self) -> Path:
        """Fetched archives."""
        return self.root / "corpora"

    @property
    def runs(self) -> Path:
        """Checkpoints."""
        return self.root / "runs"


@dataclass(frozen=True, slots=True)
class Prepared:
    """The texts of a run by split, as they are and as word ids, and what names them."""

    loaded: Loaded
    splits: Splits
    hashes: Mapping[str, str]  # of each split
    words: Vocabulary
    encoded: Mapping[str, EncodedTexts]


def prepare(configuration: Configuration, workspace: Workspace, reporter: Reporter) -> Prepared:
    """Read, deal out and encode the texts of ``configuration``; says how many there are."""
    loaded, splits = load_splits(configuration, workspace, reporter)
    hashes = {name: digest(getattr(splits, name)) for name in ("train", "dev", "test")}
    words = vocabulary.build(
        (example.text for example in splits.train),
        minimum_count=configuration.text.minimum_count,
        maximum_words=configuration.text.maximum_words,
    )
    encoded = {
        name: EncodedTexts(
            getattr(splits, name),
            words,
            labels=configuration.labels,
            max_tokens=configuration.text.max_tokens,
            use_shares=configuration.data.targets == "shares",
            task=configuration.task,
        )
        for name in ("train", "dev", "test")
    }
    reporter.say(
        f"{len(splits.train):,} / {len(splits.dev):,} / {len(splits.test):,} texts in train / dev "
        f"/ test, {encoded['train'].tokens:,} training tokens, {len(words):,} words"
    )
    return Prepared(loaded, splits, hashes, words, encoded)


def load_splits(
    configuration: Configuration, workspace: Workspace, reporter: Reporter
) -> tuple[Loaded, Splits]:
    """The corpora a configuration names, dealt out; says what was dropped."""
    data = configuration.data
    loaded = corpora.load(
        data.corpora,
        cache=workspace.corpora,
        own=data.files,
        table=data.table(configuration.task),
        progress=reporter.say,
    )
    for name, count in loaded.counts.items():
        reporter.say(
            f"{name}: {count.kept:,} texts ({count.read:,} read; dropped {count.empty:,} empty, "
            f"{count.duplicates_within:,} duplicates, {count.duplicates_across:,} duplicates of "
            "another corpus)"
        )
    used = {label for example in loaded.examples for label in example.labels}
    unknown = used - set(configuration.labels)
    if unknown:
        raise ConfigurationError(
            f"labels {list(configuration.labels)} lack {sorted(unknown)}, which the corpora use; "
            "add them to `labels` or leave the corpus out"
        )
    splits = near_copies.withdraw(split(loaded.examples))
    for name in ("train", "dev", "test"):
        if not getattr(splits, name):
            raise ConfigurationError(f"the {name} split is empty: too few texts to train on")
    if splits.withdrawn:
        reporter.say(
            f"{splits.withdrawn:,} texts of train are left out: they differ in little from dev or "
            "test texts"
        )
    return loaded, splits
