"""From corpora to what is fitted and judged: splits, vocabulary, word ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from valence.service.classifier.manifest import TeacherRecord
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration, Data
from valence.training.corpora import catalog, files
from valence.training.corpora.catalog import Loaded
from valence.training.corpora.example import Example
from valence.training.data import large_files, near_duplicates, stream, vocabulary
from valence.training.data.augmentation import copies
from valence.training.data.batches import EncodedTexts, Texts, encode
from valence.training.data.large_files import Source
from valence.training.data.split import SPLITS, Splits, digest, split, split_stratified
from valence.training.data.unlabelled import Unlabelled, load_unlabelled, to_label
from valence.training.embeddings import extra_words
from valence.training.runtime.run import Run


@dataclass(frozen=True, slots=True)
class Prepared:
    """The texts of a run by split, as they are and as word ids, and what names them."""

    loaded: Loaded
    splits: Splits
    hashes: Mapping[str, str]  # of each split
    words: Vocabulary
    train: Texts
    encoded: Mapping[str, EncodedTexts]  # dev, and test where there is one
    varied: tuple[str, ...]  # copies of train, which a teacher labels
    unlabelled: Unlabelled
    to_label: tuple[Example, ...]  # of these, which it labels too
    teacher: TeacherRecord | None = None

    @property
    def identity(self) -> dict[str, str]:
        """Hashes of all texts and of what a teacher says of them."""
        return {
            **self.hashes,
            "unlabelled": digest(self.unlabelled.examples),
            "taught": self.teacher.targets_sha256 if self.teacher else "",
        }

    @property
    def domain(self) -> tuple[str, ...]:
        """The texts that in-domain vectors are learnt from: all but dev and test."""
        return tuple(one.text for one in (*self.splits.train, *self.unlabelled.examples))


@dataclass(frozen=True, slots=True)
class Material:
    """The texts of a run, read and dealt out; the same whatever is then made of their words."""

    loaded: Loaded
    splits: Splits
    source: Source | None  # where train is streamed
    varied: tuple[str, ...]  # copies of train, which a teacher labels
    unlabelled: Unlabelled
    to_label: tuple[Example, ...]  # of these, which it labels too


def prepare(configuration: Configuration, run: Run) -> Prepared:
    """Read, deal out and encode the texts of ``configuration``; says how many there are."""
    material = read(configuration, run)
    return encoded(material, configuration, run)


def read(configuration: Configuration, run: Run) -> Material:
    """The texts that ``configuration`` names, dealt out, and those that are read unlabelled."""
    loaded, splits, source = _read(configuration, run)
    settings = configuration.distillation
    if source is not None and settings:
        raise ConfigurationError(
            "distillation: it reads texts in memory, and these files are streamed; set "
            "data.streamed = false, or leave the section out"
        )
    unlabelled = load_unlabelled(
        configuration.unlabelled, splits, cache=run.workspace.corpora, reporter=run.reporter
    )
    asked = to_label(unlabelled, settings, splits, reporter=run.reporter)
    varied = copies.made(settings, splits, cache=run.workspace.corpora, reporter=run.reporter)
    return Material(loaded, splits, source, varied, unlabelled, asked)


def encoded(material: Material, configuration: Configuration, run: Run) -> Prepared:
    """``material``, which has the data of ``configuration``, as word ids; says how many."""
    loaded, splits = material.loaded, material.splits
    source, varied, asked = material.source, material.varied, material.to_label
    hashes: dict[str, str] = {name: digest(splits.of(name)) for name in splits.names}
    texts = (*(one.text for one in (*splits.train, *asked)), *varied)
    words = vocabulary.build(
        texts,
        minimum_count=configuration.text.minimum_count,
        maximum_words=configuration.text.maximum_words,
        misspelled=configuration.text.misspelled,
        numbers=configuration.text.numbers,
        unseen=extra_words.words(
            configuration.words.vectors,
            configuration.words.unseen,
            cache=run.workspace.corpora,
            progress=run.reporter.say,
        ),
    )
    # In texts that it is trained on, a word too rare for the vocabulary is hardly ever a misspelled
    # one, and the unknown word is to be learnt from these.
    exact = Vocabulary(words)
    train: Texts
    if source is None:
        train = encode(splits.train, exact, configuration)
        known = f"{train.tokens:,} training tokens, {len(words):,} words"
    else:
        train = stream.StreamedTexts(source, exact, configuration, run.reporter)
        known = f"a sample of {source.bytes / 2**20:,.0f} MiB; {len(words):,} words"
    counts = " / ".join(f"{len(splits.of(name)):,}" for name in splits.names)
    run.reporter.say(f"{counts} texts in {' / '.join(splits.names)}, {known}")
    judged: dict[str, EncodedTexts] = {
        name: encode(splits.of(name), words, configuration)
        for name in splits.names
        if name != "train"
    }
    return Prepared(
        loaded, splits, hashes, words, train, judged, varied, material.unlabelled, asked
    )


def load_splits(configuration: Configuration, run: Run) -> tuple[Loaded, Splits]:
    """The corpora a configuration names, dealt out; says what was dropped.

    Of what is streamed a sample, whose dev and test texts are those that the classifier is judged
    on.
    """
    loaded, splits, _ = _read(configuration, run)
    return loaded, splits


def _read(configuration: Configuration, run: Run) -> tuple[Loaded, Splits, Source | None]:
    source = None
    if large_files.is_streamed(configuration.data, run.workspace.corpora):
        source = _source(configuration, run)
    return *_load_splits(configuration, run, source), source


def _source(configuration: Configuration, run: Run) -> Source:
    table = configuration.data.table(configuration.task)
    assert table is not None  # noqa: S101 - only files are streamed
    return large_files.open_source(
        configuration.data.files, table, run.workspace.corpora, run.reporter
    )


def _load_splits(
    configuration: Configuration,
    run: Run,
    source: Source | None,
) -> tuple[Loaded, Splits]:
    data = configuration.data
    if source is not None:
        loaded = large_files.sample(source)
    else:
        loaded = catalog.load(
            data.corpora,
            cache=run.workspace.corpora,
            # of copies the first stays: what is in dev is not trained on
            own=(*data.dev, *data.files),
            table=data.table(configuration.task),
            progress=run.reporter.say,
        )
    for name, count in loaded.counts.items():
        run.reporter.say(
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
    splits = near_duplicates.withdraw(_dealt(data, loaded, run.workspace.corpora))
    missing = set(SPLITS if data.has_test else SPLITS[:2]) - set(splits.names)
    for name in sorted(missing):
        raise ConfigurationError(f"the {name} split is empty: too few texts to train on")
    if splits.withdrawn:
        run.reporter.say(
            f"{splits.withdrawn:,} texts of train are left out: they differ in little from dev or "
            "test texts"
        )
    return loaded, splits


def _dealt(data: Data, loaded: Loaded, cache: Path) -> Splits:
    if data.has_test:
        return split(loaded.examples)
    if not data.dev:
        return split_stratified(loaded.examples)
    paths = files.find((*data.dev, *data.files), cache)
    given = set(files.find(data.dev, cache))
    names = {name for path, name in zip(paths, files.names(paths), strict=True) if path in given}
    return Splits(
        train=tuple(one for one in loaded.examples if one.corpus not in names),
        dev=tuple(one for one in loaded.examples if one.corpus in names),
        test=(),
    )
