"""The transfer set: all texts that the student learns from, and what it is to say of each.

Cross-entropy is linear in its targets. So to learn from the labels and from the teacher with a
weight each (Hinton, Vinyals, Dean: *Distilling the Knowledge in a Neural Network*, 2015) is to
learn from the mean of both, and the student is trained as any classifier is. It is not softened
with the teacher, as there, but calibrated afterwards, as all are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from valence.service.classifier.classifier import to_probabilities
from valence.service.classifier.manifest import TeacherRecord
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import ConfigurationError
from valence.training.config.schema import MINILM, N_GRAMS, SELF, Configuration, Distillation
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.data.batches import encode
from valence.training.data.preparation import Prepared
from valence.training.data.split import Splits
from valence.training.distillation.encoder_teacher import Ensemble
from valence.training.distillation.ngram_teacher import NGrams
from valence.training.distillation.self_teacher import Itself
from valence.training.distillation.teacher import Lesson, Teacher, Together
from valence.training.embeddings.encoder_model import Encoder
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.metrics.definitions import FIGURES
from valence.training.metrics.scores import evaluate
from valence.training.runtime import distributed
from valence.training.runtime.hashing import sha256_of
from valence.training.runtime.progress import Reporter
from valence.training.runtime.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Taught:
    """Texts with what the student is to say of them as their ``shares``, and who says so."""

    examples: tuple[Example, ...]
    record: TeacherRecord

    def to(self, prepared: Prepared, configuration: Configuration, reporter: Reporter) -> Prepared:
        """``prepared``, with these texts to be learnt."""
        words = Vocabulary(prepared.words)
        train = encode(self.examples, words, configuration, use_shares=True)
        reporter.say(f"{len(self.examples):,} texts are taught, {train.tokens:,} tokens")
        return replace(prepared, train=train, teacher=self.record)


def teach(
    configuration: Configuration,
    prepared: Prepared,
    columns: WordVectors | None,
    *,
    workspace: Workspace,
    device: torch.device,
    reporter: Reporter,
) -> Taught:
    """Let the teachers learn, or find them in ``workspace``, and answer for every text.

    They learn from no dev or test text, are calibrated on the dev texts, and judged on both.
    ``columns`` are the pre-trained ones of the network's embedding. Of several processes the first
    asks them for all. Raises :class:`ConfigurationError` for what is no teacher, and
    :class:`FetchError`.
    """
    settings = _settings(configuration)
    for name in settings.encoders:
        if not Encoder.is_one(name):
            raise ConfigurationError(
                f"distillation.teacher {name!r} is no folder; give one of a sentence encoder, "
                f"{MINILM!r}, {N_GRAMS!r} or {SELF!r}"
            )
    lesson = Lesson(
        prepared.splits.train,
        prepared.splits.dev,
        configuration.labels,
        configuration.task,
        use_shares=configuration.data.targets == "shares",
    )
    ready: dict[str, Teacher] = {}
    if SELF in settings.teacher:  # by all processes together
        ready[SELF] = Itself(
            configuration,
            prepared,
            columns,
            lesson,
            seed=settings.seed,
            workspace=workspace,
            device=device,
            reporter=reporter,
        )

    def find(name: str) -> Teacher:
        if name in ready:
            return ready[name]
        if name == N_GRAMS:
            return NGrams(lesson, reporter=reporter)
        return Ensemble(
            Encoder(name),
            settings,
            lesson,
            folder=workspace.teachers,
            cache=workspace.corpora,
            device=device,
            reporter=reporter,
        )

    def ask() -> Taught:
        teacher = Together([find(name) for name in settings.teacher])
        return _taught(teacher, configuration, prepared, lesson, reporter)

    return distributed.from_first(ask)


def _taught(
    teacher: Together,
    configuration: Configuration,
    prepared: Prepared,
    lesson: Lesson,
    reporter: Reporter,
) -> Taught:
    metrics = _judged(teacher, configuration, prepared.splits)
    for name, figures in metrics.items():
        reporter.say(f"teacher on {name}: macro-F1 {figures['macro_f1']:.4f}")
    unlabelled = [one.text for one in prepared.to_label]
    examples = (
        *_labelled(teacher, configuration, lesson),
        *_answered(teacher, configuration, prepared.varied, corpus="augmented"),
        *_answered(teacher, configuration, unlabelled, corpus="unlabelled"),
    )
    record = TeacherRecord(
        teachers=teacher.origins,
        metrics=metrics,
        texts={
            "labelled": len(lesson.train),
            "augmented": len(prepared.varied),
            "unlabelled": len(unlabelled),
        },
        targets_sha256=sha256_of([one.text, one.shares] for one in examples),
    )
    return Taught(examples, record)


def _labelled(teacher: Together, configuration: Configuration, lesson: Lesson) -> Iterator[Example]:
    """The training texts, with the mean of what people and the teacher say of each."""
    weight = _settings(configuration).weight
    said = _soft(teacher, configuration, [example.text for example in lesson.train])
    mixed = (1.0 - weight) * lesson.wanted() + weight * said
    for example, row in zip(lesson.train, mixed, strict=True):
        yield replace(example, shares=_shares(configuration, row))


def _answered(
    teacher: Together,
    configuration: Configuration,
    texts: Sequence[str],
    *,
    corpus: str,
) -> Iterator[Example]:
    """Texts of which only the teacher says something."""
    if not texts:
        return
    for text, row in zip(texts, _soft(teacher, configuration, texts), strict=True):
        shares = _shares(configuration, row)
        likeliest = max(shares, key=shares.__getitem__)
        several = tuple(label for label, share in shares.items() if share >= 0.5)
        label = likeliest if configuration.task == "single_label" else several
        yield Example(text, label, corpus, shares)


def _soft(
    teacher: Together, configuration: Configuration, texts: Sequence[str]
) -> NDArray[np.float64]:
    """The probabilities ``(N, K)``, softened by the temperature."""
    return to_probabilities(
        teacher.logits(texts),
        temperature=_settings(configuration).temperature,
        task=configuration.task,
    )


def _judged(
    teacher: Together, configuration: Configuration, splits: Splits
) -> dict[str, dict[str, float]]:
    """Figures on dev, and on test where there is one."""
    found: dict[str, dict[str, float]] = {}
    for name in splits.names:
        if name == "train":
            continue
        examples = splits.of(name)
        logits = teacher.logits([example.text for example in examples])
        answers = to_probabilities(logits, temperature=1.0, task=configuration.task)
        truth = targets.truth(examples, labels=configuration.labels, task=configuration.task)
        multi_label = configuration.task == "multi_label"
        judged = evaluate(
            answers,
            truth,
            labels=configuration.labels,
            thresholds=[0.5] * len(configuration.labels) if multi_label else None,
        )
        found[name] = {figure: float(getattr(judged, figure)) for figure in FIGURES}
    return found


def _shares(configuration: Configuration, row: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(configuration.labels, map(float, row), strict=True))


def _settings(configuration: Configuration) -> Distillation:
    assert configuration.distillation is not None  # noqa: S101 - who teaches has looked
    return configuration.distillation
