"""The transfer set: all texts that the student learns from, with their targets.

Cross-entropy is linear in its targets. Learning from the labels and from the teacher with a weight
each (Hinton, Vinyals, Dean: *Distilling the Knowledge in a Neural Network*, 2015) therefore equals
learning from the weighted mean of both, and the student is trained like any classifier. Unlike in
that paper, the student's own logits are not softened in training; it is calibrated afterwards, as
all classifiers are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.manifest import Task, TeacherOrigin, TeacherRecord
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.data.batches import encode_examples
from valence.training.data.preparation import Prepared
from valence.training.distillation import answer_file, live_answers
from valence.training.distillation.live_answers import distillation_section
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.runtime import distributed
from valence.training.runtime.hashing import sha256_of
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run

_Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TransferSet:
    """Examples whose ``shares`` are the student's targets, and the record of the teacher."""

    examples: tuple[Example, ...]
    record: TeacherRecord

    def apply_to(
        self, prepared: Prepared, configuration: Configuration, reporter: Reporter
    ) -> Prepared:
        """``prepared`` with these examples as its training texts."""
        exact = prepared.vocabulary.without_corrections()
        train = encode_examples(self.examples, exact, configuration, use_shares=True).weighted(
            prepared.class_weights
        )
        counts = ", ".join(f"{count:,} {kind}" for kind, count in self.record.texts.items())
        reporter.say(
            f"{len(self.examples):,} texts, {train.tokens:,} tokens; a teacher answers for {counts}"
        )
        return replace(prepared, train=train, teacher=self.record)


class Answers(Protocol):
    """The answers of teachers that are asked now, or those of a file."""

    def probabilities(self, texts: Sequence[str]) -> _Shares:
        """Probabilities ``(N, K)``; NaN in the row of a text without an answer."""

    @property
    def origins(self) -> tuple[TeacherOrigin, ...]:
        """The teachers; known after the first answers."""


def make_transfer_set(
    configuration: Configuration, prepared: Prepared, pretrained: WordVectors | None, run: Run
) -> TransferSet:
    """Let teachers label all texts, or read what they have answered from the configured file.

    Teachers are evaluated on dev and test. ``pretrained`` are the pre-trained columns of the
    network's embedding. Among several processes, the first asks the teachers for all. Raises
    :class:`ConfigurationError` for an unknown teacher and for a file that does not fit, and
    :class:`FetchError`.
    """
    settings = distillation_section(configuration)
    if settings.answers is not None:
        path = answer_file.find_answers(settings.answers)
        stored = answer_file.read_answers(
            path, labels=configuration.labels, task=configuration.task
        )
        taught = _label_texts(stored, stored.record.metrics, configuration, prepared)
        if not any(taught.record.texts.values()):
            raise ConfigurationError(
                f"distillation.answers: {path} has no answer about any of these texts; leave it "
                "out, or write answers about them with `valence teach`"
            )
        return taught
    itself = live_answers.train_self_teacher(configuration, prepared, pretrained, run)

    def label_texts() -> TransferSet:
        live = live_answers.make_answers(configuration, prepared, itself, run)
        held_out = [name for name in prepared.raw.splits.names if name != "train"]
        metrics = live_answers.score_answers(live, configuration, prepared, held_out)
        for name, figures in metrics.items():
            run.reporter.say(f"teacher on {name}: macro-F1 {figures['macro_f1']:.4f}")
        return _label_texts(live, metrics, configuration, prepared)

    return distributed.broadcast_from_first(label_texts)


def soften(probabilities: _Shares, *, temperature: float, task: Task) -> _Shares:
    """The ``probabilities`` of logits that are divided by ``temperature``."""
    if temperature == 1.0:
        return probabilities
    softened: _Shares = probabilities ** (1.0 / temperature)
    others = (1.0 - probabilities) ** (1.0 / temperature)
    if task == "single_label":
        whole: _Shares = softened.sum(axis=1, keepdims=True)
    else:
        whole = softened + others
    return softened / whole


def _label_texts(
    answers: Answers,
    metrics: Mapping[str, Mapping[str, float]],
    configuration: Configuration,
    prepared: Prepared,
) -> TransferSet:
    raw, settings = prepared.raw, distillation_section(configuration)
    counts: dict[str, int] = {}

    def answer(kind: str, texts: Sequence[str]) -> _Shares:
        shares = np.zeros((0, len(configuration.labels)))
        if texts:
            shares = soften(
                answers.probabilities(texts),
                temperature=settings.temperature,
                task=configuration.task,
            )
        counts[kind] = int((~np.isnan(shares[:, 0])).sum())
        return shares

    questions = live_answers.list_questions(configuration, raw)
    taught = live_answers.teacher_data(configuration, prepared)
    targets = taught.targets()
    given, known = targets[: len(taught.train)], targets[len(taught.train) :]
    said = answer("labelled", questions.labelled)
    examples = [*_mix(raw.splits.train, given, said, settings.weight, configuration)]
    for kind, texts in (("augmented", questions.augmented), ("unlabelled", questions.unlabelled)):
        examples += _label(texts, answer(kind, texts), configuration, corpus=kind)
    asked = questions.counterfactuals
    if asked:
        said = answer("counterfactual", [example.text for example in asked])
        examples += _mix(asked, known, said, settings.counterfactuals, configuration)
    examples += questions.others
    record = TeacherRecord(
        teachers=answers.origins,
        metrics={name: dict(figures) for name, figures in metrics.items()},
        texts=counts,
        targets_sha256=sha256_of([example.text, example.shares] for example in examples),
    )
    return TransferSet(tuple(examples), record)


def _mix(
    examples: Sequence[Example],
    given: NDArray[np.float32],
    said: _Shares,
    weight: float,
    configuration: Configuration,
) -> Iterator[Example]:
    """``examples`` with the weighted mean of the targets ``given`` and what the teacher ``said``.

    A text without an answer keeps what is given.
    """
    mixed = np.where(np.isnan(said), given, (1.0 - weight) * given + weight * said)
    for example, row in zip(examples, mixed, strict=True):
        yield replace(example, shares=_make_shares(configuration, row))


def _label(
    texts: Sequence[str], answers: _Shares, configuration: Configuration, *, corpus: str
) -> Iterator[Example]:
    """Texts without labels that have an answer, with the teacher's probabilities."""
    for text, row in zip(texts, answers, strict=True):
        if np.isnan(row[0]):
            continue
        shares = _make_shares(configuration, row)
        likeliest = max(shares, key=shares.__getitem__)
        likely = tuple(label for label, share in shares.items() if share >= 0.5)
        label = likeliest if configuration.task == "single_label" else likely
        yield Example(text, label, corpus, shares)


def _make_shares(configuration: Configuration, row: _Shares) -> dict[str, float]:
    return dict(zip(configuration.labels, map(float, row), strict=True))
