"""The transfer set: all texts that the student learns from, with their targets.

Cross-entropy is linear in its targets. Learning from the labels and from the teacher with a weight
each (Hinton, Vinyals, Dean: *Distilling the Knowledge in a Neural Network*, 2015) therefore equals
learning from the weighted mean of both, and the student is trained like any classifier. Unlike in
that paper, the student's own logits are not softened in training; it is calibrated afterwards, as
all classifiers are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.classifier import to_probabilities
from valence.service.classifier.manifest import TeacherRecord
from valence.service.errors import ConfigurationError
from valence.training.config.schema import MINILM, N_GRAMS, SELF, Configuration, Distillation
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.data.batches import encode_examples
from valence.training.data.preparation import Prepared
from valence.training.data.split import Splits
from valence.training.distillation.encoder_teacher import EncoderTeacher
from valence.training.distillation.ngram_teacher import NGramTeacher
from valence.training.distillation.self_teacher import SelfTeacher
from valence.training.distillation.teacher import MeanTeacher, Teacher, TeacherData
from valence.training.embeddings.encoder_model import Encoder
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.metrics.definitions import METRICS
from valence.training.metrics.scores import evaluate
from valence.training.runtime import distributed
from valence.training.runtime.hashing import sha256_of
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run


@dataclass(frozen=True, slots=True)
class TransferSet:
    """Examples whose ``shares`` are the student's targets, and the record of the teacher."""

    examples: tuple[Example, ...]
    record: TeacherRecord

    def apply_to(
        self, prepared: Prepared, configuration: Configuration, reporter: Reporter
    ) -> Prepared:
        """``prepared`` with these examples and its counterfactuals as its training texts."""
        exact = prepared.vocabulary.without_corrections()
        examples = (*self.examples, *prepared.raw.counterfactuals)
        train = encode_examples(examples, exact, configuration, use_shares=True)
        reporter.say(f"{len(self.examples):,} texts have a teacher, {train.tokens:,} tokens")
        return replace(prepared, train=train, teacher=self.record)


def make_transfer_set(
    configuration: Configuration,
    prepared: Prepared,
    pretrained: WordVectors | None,
    run: Run,
) -> TransferSet:
    """Train the teachers, or load them from the workspace, and let them label all texts.

    Teachers learn from the training texts, are calibrated on the dev texts, and are evaluated on
    dev and test. ``pretrained`` are the pre-trained columns of the network's embedding. Among
    several processes, the first asks the teachers for all. Raises :class:`ConfigurationError` for
    an unknown teacher, and :class:`FetchError`.
    """
    settings = _distillation_section(configuration)
    for name in settings.encoders:
        if not Encoder.is_encoder(name):
            raise ConfigurationError(
                f"distillation.teacher {name!r} is not a folder; give that of a sentence encoder, "
                f"{MINILM!r}, {N_GRAMS!r} or {SELF!r}"
            )
    data = TeacherData(
        prepared.raw.splits.train,
        prepared.raw.splits.dev,
        configuration.labels,
        configuration.task,
        use_shares=configuration.data.targets == "shares",
    )
    trained: dict[str, Teacher] = {}
    if SELF in settings.teacher:  # all processes train it together
        trained[SELF] = SelfTeacher(
            configuration,
            prepared,
            pretrained,
            data,
            seed=settings.seed,
            run=run,
        )

    def make_teacher(name: str) -> Teacher:
        if name in trained:
            return trained[name]
        if name == N_GRAMS:
            return NGramTeacher(data, reporter=run.reporter)
        return EncoderTeacher(Encoder(name), settings, data, run)

    def label_texts() -> TransferSet:
        teacher = MeanTeacher([make_teacher(name) for name in settings.teacher])
        return _label_texts(teacher, configuration, prepared, data, run.reporter)

    return distributed.broadcast_from_first(label_texts)


def _label_texts(
    teacher: MeanTeacher,
    configuration: Configuration,
    prepared: Prepared,
    data: TeacherData,
    reporter: Reporter,
) -> TransferSet:
    metrics = _score_teacher(teacher, configuration, prepared.raw.splits)
    for name, figures in metrics.items():
        reporter.say(f"teacher on {name}: macro-F1 {figures['macro_f1']:.4f}")
    augmented = prepared.raw.augmented_texts
    unlabelled = [example.text for example in prepared.raw.teacher_texts]
    examples = (
        *_mix_labels(teacher, configuration, data),
        *_label_unlabelled(teacher, configuration, augmented, corpus="augmented"),
        *_label_unlabelled(teacher, configuration, unlabelled, corpus="unlabelled"),
    )
    record = TeacherRecord(
        teachers=teacher.origins,
        metrics=metrics,
        texts={
            "labelled": len(data.train),
            "augmented": len(augmented),
            "unlabelled": len(unlabelled),
        },
        targets_sha256=sha256_of([example.text, example.shares] for example in examples),
    )
    return TransferSet(examples, record)


def _mix_labels(
    teacher: MeanTeacher, configuration: Configuration, data: TeacherData
) -> Iterator[Example]:
    """The training texts with the weighted mean of their labels and the teacher's answers."""
    weight = _distillation_section(configuration).weight
    soft_labels = _soft_labels(teacher, configuration, [example.text for example in data.train])
    mixed = (1.0 - weight) * data.targets() + weight * soft_labels
    for example, row in zip(data.train, mixed, strict=True):
        yield replace(example, shares=_make_shares(configuration, row))


def _label_unlabelled(
    teacher: MeanTeacher,
    configuration: Configuration,
    texts: Sequence[str],
    *,
    corpus: str,
) -> Iterator[Example]:
    """Texts without labels, with the teacher's probabilities."""
    if not texts:
        return
    for text, row in zip(texts, _soft_labels(teacher, configuration, texts), strict=True):
        shares = _make_shares(configuration, row)
        likeliest = max(shares, key=shares.__getitem__)
        likely = tuple(label for label, share in shares.items() if share >= 0.5)
        label = likeliest if configuration.task == "single_label" else likely
        yield Example(text, label, corpus, shares)


def _soft_labels(
    teacher: MeanTeacher, configuration: Configuration, texts: Sequence[str]
) -> NDArray[np.float64]:
    """The teacher's probabilities ``(N, K)``, softened by the configured temperature."""
    return to_probabilities(
        teacher.logits(texts),
        temperature=_distillation_section(configuration).temperature,
        task=configuration.task,
    )


def _score_teacher(
    teacher: MeanTeacher, configuration: Configuration, splits: Splits
) -> dict[str, dict[str, float]]:
    """The teacher's scores on dev, and on test where there is one."""
    scores: dict[str, dict[str, float]] = {}
    for name in splits.names:
        if name == "train":
            continue
        examples = splits.of(name)
        logits = teacher.logits([example.text for example in examples])
        answers = to_probabilities(logits, temperature=1.0, task=configuration.task)
        truth = targets.label_indices(
            examples, labels=configuration.labels, task=configuration.task
        )
        multi_label = configuration.task == "multi_label"
        evaluation = evaluate(
            answers,
            truth,
            labels=configuration.labels,
            thresholds=[0.5] * len(configuration.labels) if multi_label else None,
        )
        scores[name] = {metric: float(getattr(evaluation, metric)) for metric in METRICS}
    return scores


def _make_shares(configuration: Configuration, row: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(configuration.labels, map(float, row), strict=True))


def _distillation_section(configuration: Configuration) -> Distillation:
    assert configuration.distillation is not None  # noqa: S101 - the caller has checked
    return configuration.distillation
