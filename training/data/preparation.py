"""From corpora to training data: load the texts, split them, build the vocabulary, encode."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import emoji
import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.manifest import TeacherRecord
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration, Data, Distillation
from valence.training.corpora import catalog, files
from valence.training.corpora.catalog import Loaded
from valence.training.corpora.example import Example
from valence.training.counterfactuals.maker import RULES, make_counterfactuals
from valence.training.data import large_files, near_duplicates, text_copies, vocabulary
from valence.training.data.batches import EncodedTexts, TrainingTexts, encode_examples
from valence.training.data.label_names import show_labels
from valence.training.data.large_files import Source
from valence.training.data.split import (
    SPLITS,
    Splits,
    hash_examples,
    keep_rare_labels,
    split_by_hash,
    split_stratified,
)
from valence.training.data.stream import StreamedTexts
from valence.training.data.targets import balance_labels, label_indices
from valence.training.data.unlabelled import Unlabelled, load_unlabelled, select_for_teacher
from valence.training.embeddings import extra_words
from valence.training.embeddings.emoji_names import list_emoji
from valence.training.runtime.run import Run


@dataclass(frozen=True, slots=True)
class RawData:
    """The texts of a run by split; independent of the vocabulary.

    ``source`` is set where the training texts are streamed. A teacher labels ``augmented_texts``,
    which are changed copies of training texts, and ``teacher_texts``, which come from the
    unlabelled texts. ``counterfactuals`` are labelled copies of training texts with a change.
    """

    loaded: Loaded
    splits: Splits
    source: Source | None
    counterfactuals: tuple[Example, ...]
    augmented_texts: tuple[str, ...]
    unlabelled: Unlabelled
    teacher_texts: tuple[Example, ...]

    @property
    def in_domain_texts(self) -> tuple[str, ...]:
        """The texts that in-domain vectors are learnt from: all except dev and test."""
        return tuple(example.text for example in (*self.splits.train, *self.unlabelled.examples))


@dataclass(frozen=True, slots=True)
class Prepared:
    """The texts of a run as word ids, with the vocabulary that encodes them.

    ``held_out`` has the split ``dev``, and ``test`` where there is one. ``hashes`` has one hash per
    split. ``teacher`` is set once a teacher has labelled the training texts. ``class_weights``
    ``(K,)`` are those of the labels in the loss; None where all texts count alike.
    """

    raw: RawData
    hashes: Mapping[str, str]
    vocabulary: Vocabulary
    train: TrainingTexts
    held_out: Mapping[str, EncodedTexts]
    teacher: TeacherRecord | None = None
    class_weights: NDArray[np.float32] | None = None

    @property
    def identity(self) -> dict[str, str]:
        """Hashes of all texts, and of the teacher's targets."""
        return {
            **self.hashes,
            "unlabelled": hash_examples(self.raw.unlabelled.examples),
            "taught": self.teacher.targets_sha256 if self.teacher else "",
        }


def prepare(configuration: Configuration, run: Run) -> Prepared:
    """Load, split and encode the texts of ``configuration``; reports their numbers."""
    return encode_splits(load_texts(configuration, run), configuration, run)


def load_texts(configuration: Configuration, run: Run) -> RawData:
    """The texts that ``configuration`` names, split, and its unlabelled texts."""
    loaded, splits, source = _load_labelled(configuration, run)
    settings = configuration.distillation
    if source is not None and settings:
        raise ConfigurationError(
            "distillation: a teacher needs all texts in memory, and these files are streamed; set "
            "data.streamed = false, or leave the section out"
        )
    if source is not None and configuration.ngrams:
        raise ConfigurationError(
            "ngrams: their weights are fitted to texts in memory, and these files are streamed; "
            "set data.streamed = false, or leave the section out"
        )
    cache, reporter = run.workspace.corpora, run.reporter
    unlabelled = load_unlabelled(configuration.unlabelled, splits, cache=cache, reporter=reporter)
    teacher_texts = select_for_teacher(unlabelled, settings, splits, reporter=reporter)
    counterfactuals = _make_counterfactuals(configuration, splits, source, run)
    asked, _ = split_counterfactuals(counterfactuals, settings)
    augmented_texts = text_copies.make_augmented_texts(
        settings, splits, asked, cache=cache, reporter=reporter
    )
    return RawData(
        loaded, splits, source, counterfactuals, augmented_texts, unlabelled, teacher_texts
    )


def split_counterfactuals(
    counterfactuals: Sequence[Example], settings: Distillation | None
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The counterfactuals that a teacher learns from and is asked about, and the others.

    The others are those made by rules alone, those with emoji, which a sentence encoder does not
    read, and all of them if the teacher has no weight in their targets.
    """
    weighted = settings is not None and settings.counterfactuals > 0.0
    asked = [
        weighted and each.corpus != RULES and not emoji.emoji_count(each.text)
        for each in counterfactuals
    ]
    return (
        tuple(itertools.compress(counterfactuals, asked)),
        tuple(itertools.compress(counterfactuals, map(operator.not_, asked))),
    )


def _make_counterfactuals(
    configuration: Configuration, splits: Splits, source: Source | None, run: Run
) -> tuple[Example, ...]:
    settings, polarity = configuration.counterfactuals, configuration.polarity
    if settings is None or polarity is None:
        return ()
    if source is not None:
        raise ConfigurationError(
            "counterfactuals: they are made of texts in memory, and these files are streamed; set "
            "data.streamed = false, or leave the section out"
        )
    held_out = (*splits.dev, *splits.test)
    made = make_counterfactuals(settings, splits.train, polarity, excluded=held_out)
    run.reporter.say(f"{len(made):,} counterfactuals of training texts")
    return made


def encode_splits(raw: RawData, configuration: Configuration, run: Run) -> Prepared:
    """``raw``, which has the data of ``configuration``, as word ids; reports the numbers of texts.

    The vocabulary comes from the training texts and from the texts that a teacher will label.
    """
    splits = raw.splits
    hashes: dict[str, str] = {name: hash_examples(splits.of(name)) for name in splits.names}
    labelled = (*splits.train, *raw.counterfactuals, *raw.teacher_texts)
    labelled_texts = (example.text for example in labelled)
    words = vocabulary.build_vocabulary(
        (*labelled_texts, *raw.augmented_texts),
        configuration.text,
        unseen=_select_unseen_words(configuration, run),
    )
    # In training texts, a word that is too rare for the vocabulary is hardly ever a misspelled
    # word, and the network learns the unknown word from such words. So training reads no word as
    # its nearest neighbour.
    exact = words.without_corrections()
    train: TrainingTexts
    weights = _weigh_labels(raw, configuration)
    if raw.source is None:
        train = encode_examples((*splits.train, *raw.counterfactuals), exact, configuration)
        train = train.weighted(weights)
        size = f"{train.tokens:,} training tokens, {len(words):,} words"
    else:
        train = StreamedTexts(raw.source, exact, configuration, run.reporter)
        size = f"a sample of {raw.source.bytes / 2**20:,.0f} MiB; {len(words):,} words"
    counts = " / ".join(f"{len(splits.of(name)):,}" for name in splits.names)
    run.reporter.say(f"{counts} texts in {' / '.join(splits.names)}, {size}")
    held_out: dict[str, EncodedTexts] = {
        name: encode_examples(splits.of(name), words, configuration).weighted(weights)
        for name in splits.names
        if name != "train"
    }
    return Prepared(raw, hashes, words, train, held_out, class_weights=weights)


def _weigh_labels(raw: RawData, configuration: Configuration) -> NDArray[np.float32] | None:
    """The weights of the labels, if ``configuration`` balances them."""
    if configuration.data.class_weights == "none":
        return None
    if raw.source is not None:
        raise ConfigurationError(
            "data.class_weights: they need the counts of all labels, and these files are streamed; "
            "set data.streamed = false, or leave the key out"
        )
    truth = label_indices(raw.splits.train, labels=configuration.labels, task=configuration.task)
    return balance_labels(truth, len(configuration.labels))


def _select_unseen_words(configuration: Configuration, run: Run) -> tuple[str, ...]:
    """The words that join the vocabulary even if no training text has them."""
    settings = configuration.words
    frequent = extra_words.select_extra_words(
        settings.vectors,
        settings.unseen,
        cache=run.workspace.corpora,
        progress=run.reporter.say,
    )
    ngrams = configuration.ngrams
    if ngrams is not None and ngrams.alone and not ngrams.vectors:
        return ()  # a word that no text has is worth nothing without vectors
    named = configuration.text.emoji == "named" and settings.vectors
    return (*frequent, *(list_emoji() if named else ()))


def load_splits(configuration: Configuration, run: Run) -> tuple[Loaded, Splits]:
    """The corpora of ``configuration``, loaded and split; reports how many texts were dropped.

    For streamed files, a sample. The dev and test texts of the sample are those that the classifier
    is evaluated on.
    """
    loaded, splits, _ = _load_labelled(configuration, run)
    return loaded, splits


def _load_labelled(configuration: Configuration, run: Run) -> tuple[Loaded, Splits, Source | None]:
    data = configuration.data
    cache, reporter = run.workspace.corpora, run.reporter
    columns = data.columns(configuration.task)
    source = None
    if large_files.is_streamed(data, cache):
        assert columns is not None  # noqa: S101 - only files are streamed
        source = large_files.open_source(data.files, columns, cache, reporter)
        loaded = large_files.load_sample(source)
    else:
        loaded = catalog.load_corpora(
            data.corpora,
            cache=cache,
            # The first of several copies stays, so a text of dev is not trained on.
            patterns=(*data.dev, *data.files),
            columns=columns,
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
            f"labels {show_labels(configuration.labels)} lack {show_labels(sorted(unknown))}, "
            "which the corpora use; add them to `labels` or leave the corpus out"
        )
    splits = near_duplicates.remove_near_duplicates(_assign_splits(data, loaded, cache))
    if source is None and not data.dev:
        splits = keep_rare_labels(splits)
    missing = set(SPLITS if data.has_test else SPLITS[:2]) - set(splits.names)
    for name in sorted(missing):
        raise ConfigurationError(f"the {name} split is empty: too few texts to train on")
    if splits.withdrawn:
        reporter.say(
            f"{splits.withdrawn:,} texts of train are left out: they differ in little from dev or "
            "test texts"
        )
    if splits.kept:
        reporter.say(
            f"{show_labels(splits.kept)}: train had no text of these labels, so one held-out text "
            "of each is trained on"
        )
    return loaded, splits, source


def _assign_splits(data: Data, loaded: Loaded, cache: Path) -> Splits:
    aside = {name for name in data.corpora if catalog.CORPORA[name].train_only}
    judged = [example for example in loaded.examples if example.corpus not in aside]
    splits = _split(data, judged, cache)
    others = tuple(example for example in loaded.examples if example.corpus in aside)
    return replace(splits, train=splits.train + others)


def _split(data: Data, examples: Sequence[Example], cache: Path) -> Splits:
    if data.has_test:
        return split_by_hash(examples)
    if not data.dev:
        return split_stratified(examples)
    paths = files.find_files((*data.dev, *data.files), cache)
    dev_paths = set(files.find_files(data.dev, cache))
    dev_names = {
        name for path, name in zip(paths, files.name_files(paths), strict=True) if path in dev_paths
    }
    return Splits(
        train=tuple(example for example in examples if example.corpus not in dev_names),
        dev=tuple(example for example in examples if example.corpus in dev_names),
        test=(),
    )
