"""What a recipe answers to texts that it has not learnt: to the dev texts, or in several folds."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Logits
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.inference.engines import factory
from valence.service.observability.log import Log
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.data import text_copies
from valence.training.data.batches import EncodedTexts
from valence.training.data.preparation import Prepared, RawData, encode_splits
from valence.training.data.split import Split, Splits
from valence.training.data.unlabelled import select_for_teacher
from valence.training.distillation import live_answers, transfer_set
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.linear.ngram_model import MANY_DEV_TEXTS, fit_ngram_model
from valence.training.linear.word_parts import load_ngram_vectors
from valence.training.metrics.predictions import Floats
from valence.training.pipeline.selection.recipes import Recipe
from valence.training.runtime.run import Run
from valence.training.trainer import loop, network
from valence.training.trainer.fitted_classifier import FittedClassifier
from valence.training.trainer.network import TrainedNetwork

FOLDS = 5
_MEASURED_TEXTS = 100
# The standard error of a share of so many texts is about one point, so no folds are needed.
ENOUGH_DEV_TEXTS = MANY_DEV_TEXTS


@dataclass(frozen=True, slots=True)
class Answers:
    """Logits ``(N, K)`` of a recipe's n-grams and of its network, and the labels of the texts."""

    ngrams: Logits
    network: Logits | None
    truth: NDArray[np.int64]
    seconds: float
    microseconds: tuple[float, float]
    """What one text costs the engine of the n-grams, and that of the network."""
    teacher: Floats | None = None
    """Probabilities ``(N, K)`` of the encoder that alone has taught the network, if one has."""

    def __len__(self) -> int:
        return len(self.truth)


class Fold(NamedTuple):
    """The texts of a trial, and the split of them whose answers are judged."""

    splits: Splits
    judged: Split


def split_folds(splits: Splits) -> tuple[Fold, ...]:
    """The folds of the texts of train and dev; no test text is judged.

    Where dev has many texts, there is one fold, in which dev is judged. It is the data of the final
    training, which therefore continues the trial. Otherwise all texts are judged, in
    :data:`FOLDS` parts, and of the others an eighth is dev.
    """
    if len(splits.dev) >= ENOUGH_DEV_TEXTS:
        return (Fold(splits, "dev"),)
    texts = (*splits.train, *splits.dev)
    fold_of = np.random.default_rng(0).permutation(len(texts)) % FOLDS
    return tuple(_make_fold(texts, fold_of == number) for number in range(FOLDS))


def _make_fold(texts: Sequence[Example], judged: NDArray[np.bool_]) -> Fold:
    learnt = [example for example, is_judged in zip(texts, judged, strict=True) if not is_judged]
    splits = Splits(
        train=tuple(example for place, example in enumerate(learnt) if place % 8 != 0),
        dev=tuple(learnt[::8]),
        test=tuple(example for example, is_judged in zip(texts, judged, strict=True) if is_judged),
    )
    return Fold(splits, "test")


def try_recipe(recipe: Recipe, raw: RawData, folds: Sequence[Fold], run: Run) -> Iterator[Answers]:
    """The answers of ``recipe`` in each of ``folds``; ``raw`` has all texts but the test texts."""
    configuration = recipe.settled
    for splits, name in folds:
        started = time.perf_counter()
        material = replace(
            raw,
            splits=splits,
            augmented_texts=text_copies.make_augmented_texts(
                configuration.distillation,
                splits,
                cache=run.workspace.corpora,
                reporter=run.reporter,
            ),
            teacher_texts=select_for_teacher(
                raw.unlabelled, configuration.distillation, splits, reporter=run.reporter
            ),
        )
        prepared = encode_splits(material, configuration, run)
        judged = prepared.held_out[name]
        trained = None
        columns = (
            network.load_word_vectors(configuration, prepared, run) if recipe.has_network else None
        )
        taught = _teach(configuration, prepared, columns, run)
        if recipe.has_network:
            trained = _train_network(configuration, taught, columns, run, is_final=name == "dev")
        assert configuration.ngrams is not None  # noqa: S101 - every recipe has n-grams
        # beside a network, n-grams learn the labels, whatever a teacher says
        learnt = (prepared if recipe.has_network else taught).train
        assert isinstance(learnt, EncodedTexts)  # noqa: S101 - streamed texts are refused
        if name == "test":  # few dev texts are learnt, as in the final training
            learnt = EncodedTexts.joined([learnt, prepared.held_out["dev"]])
        vectors = load_ngram_vectors(configuration, prepared.vocabulary, run)
        ngrams = fit_ngram_model(learnt, prepared.vocabulary, configuration.ngrams, vectors)
        seconds, size = time.perf_counter() - started, len(prepared.vocabulary)
        yield Answers(
            ngrams.compute_logits(judged),
            None if trained is None else loop.compute_logits(trained.model, judged),
            judged.truth,
            seconds,
            (
                _measure_cost(FittedClassifier(None, ngrams, size), prepared.vocabulary, judged),
                0.0
                if trained is None
                else _measure_cost(
                    FittedClassifier(trained, None, size), prepared.vocabulary, judged
                ),
            ),
            _ask_teacher(configuration, prepared, splits.of(name), run),
        )


def remove_checkpoints(configuration: Configuration, run: Run) -> None:
    """Remove the checkpoints of the folds, which an interrupted choice continues from."""
    for path in run.workspace.runs.glob(f"{configuration.name}-fold-*.safetensors"):
        path.unlink(missing_ok=True)


def _teach(
    configuration: Configuration, prepared: Prepared, columns: WordVectors | None, run: Run
) -> Prepared:
    """``prepared`` with what the teachers of ``configuration`` say of its texts, if it has any."""
    if configuration.distillation is None:
        return prepared
    found = transfer_set.make_transfer_set(configuration, prepared, columns, run)
    return found.apply_to(prepared, configuration, run.reporter)


def _train_network(
    configuration: Configuration,
    prepared: Prepared,
    columns: WordVectors | None,
    run: Run,
    *,
    is_final: bool,
) -> TrainedNetwork:
    key = network.run_key(configuration, prepared.identity, prepared.vocabulary)
    part = "" if is_final else "fold-"
    checkpoint = run.workspace.runs / f"{configuration.name}-{part}{key}.safetensors"
    return network.train_network(configuration, prepared, columns, run=run, checkpoint=checkpoint)


def _ask_teacher(
    configuration: Configuration, prepared: Prepared, judged: Sequence[Example], run: Run
) -> Floats | None:
    """The probabilities of the one encoder that has taught the network; None for other teachers."""
    settings = configuration.distillation
    if settings is None or len(settings.encoders) != 1 or len(settings.teacher) != 1:
        return None
    answers = live_answers.make_answers(configuration, prepared, None, run)
    return answers.probabilities([example.text for example in judged])


def _measure_cost(fitted: FittedClassifier, words: Vocabulary, texts: EncodedTexts) -> float:
    """The median microseconds of one judged text on the engine that would serve ``fitted``."""
    # an engine reads nothing else of a manifest
    read: dict[str, Any] = {"architecture": fitted.architecture, "name": "trial"}
    manifest = Manifest.model_construct(**read)
    served = Artifact(manifest, words, fitted.tensors())
    engine = factory.create(served, name="auto", log=Log(io.StringIO()))
    spent = []
    for document in texts.documents()[:_MEASURED_TEXTS]:
        started = time.perf_counter()
        engine.logits([document])
        spent.append(time.perf_counter() - started)
    return 1e6 * statistics.median(spent)
