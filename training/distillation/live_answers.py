"""The answers of the configured teachers, which are trained and asked now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.classifier import to_probabilities
from valence.service.classifier.manifest import Task, TeacherOrigin
from valence.service.errors import ConfigurationError
from valence.training.config.schema import MINILM, N_GRAMS, SELF, Configuration, Distillation
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.data.preparation import Prepared, RawData, split_counterfactuals
from valence.training.data.split import Split
from valence.training.distillation.encoder_teacher import EncoderTeacher
from valence.training.distillation.ngram_teacher import NGramTeacher
from valence.training.distillation.self_teacher import SelfTeacher
from valence.training.distillation.teacher import MeanTeacher, Teacher, TeacherData
from valence.training.embeddings.encoder_model import Encoder
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.metrics.definitions import METRICS
from valence.training.metrics.scores import evaluate
from valence.training.runtime.run import Run


@dataclass(frozen=True, slots=True)
class LiveAnswers:
    """The answers of ``teacher``, which is asked for each text."""

    teacher: MeanTeacher
    task: Task

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities ``(N, K)``."""
        return to_probabilities(self.teacher.logits(texts), temperature=1.0, task=self.task)

    @property
    def origins(self) -> tuple[TeacherOrigin, ...]:
        """The teachers; known after the first answers."""
        return self.teacher.origins


@dataclass(frozen=True, slots=True)
class Questions:
    """The texts that teachers are asked about, by kind.

    ``others`` are the counterfactuals that no teacher is asked about.
    """

    labelled: tuple[str, ...]
    augmented: tuple[str, ...]
    unlabelled: tuple[str, ...]
    counterfactuals: tuple[Example, ...]
    others: tuple[Example, ...]


def train_self_teacher(
    configuration: Configuration, prepared: Prepared, pretrained: WordVectors | None, run: Run
) -> SelfTeacher | None:
    """The network as its own teacher, if it is configured; all processes train it together.

    ``pretrained`` are the pre-trained columns of the network's embedding. Raises
    :class:`ConfigurationError` if any teacher is unknown.
    """
    settings = distillation_section(configuration)
    for name in settings.encoders:
        if not Encoder.is_encoder(name):
            raise ConfigurationError(
                f"distillation.teacher {name!r} is not a folder; give that of a sentence encoder, "
                f"{MINILM!r}, {N_GRAMS!r} or {SELF!r}"
            )
    if SELF not in settings.teacher:
        return None
    return SelfTeacher(
        configuration,
        prepared,
        pretrained,
        teacher_data(configuration, prepared),
        seed=settings.seed,
        run=run,
    )


def make_answers(
    configuration: Configuration, prepared: Prepared, itself: SelfTeacher | None, run: Run
) -> LiveAnswers:
    """The answers of all configured teachers, ``itself`` among them.

    Teachers learn from the training texts and are calibrated on the dev texts, or are read from
    the workspace. The first answers tune a sentence encoder; they raise :class:`FetchError`.
    """
    settings = distillation_section(configuration)
    data = teacher_data(configuration, prepared)

    def make_teacher(name: str) -> Teacher:
        if name == SELF and itself is not None:
            return itself
        if name == N_GRAMS:
            return NGramTeacher(data, reporter=run.reporter)
        return EncoderTeacher(Encoder(name), settings, data, run)

    teachers = [make_teacher(name) for name in settings.teacher]
    return LiveAnswers(MeanTeacher(teachers), configuration.task)


def score_answers(
    answers: LiveAnswers, configuration: Configuration, prepared: Prepared, splits: Iterable[Split]
) -> dict[str, dict[str, float]]:
    """The teachers' scores on ``splits``."""
    multi_label = configuration.task == "multi_label"
    scores: dict[str, dict[str, float]] = {}
    for name in splits:
        examples = prepared.raw.splits.of(name)
        evaluation = evaluate(
            answers.probabilities([example.text for example in examples]),
            targets.label_indices(examples, labels=configuration.labels, task=configuration.task),
            labels=configuration.labels,
            thresholds=[0.5] * len(configuration.labels) if multi_label else None,
        )
        scores[name] = {metric: float(getattr(evaluation, metric)) for metric in METRICS}
    return scores


def list_questions(configuration: Configuration, raw: RawData) -> Questions:
    """The texts that the student wants answers about."""
    asked, others = split_counterfactuals(raw.counterfactuals, configuration.distillation)
    return Questions(
        labelled=tuple(example.text for example in raw.splits.train),
        augmented=raw.augmented_texts,
        unlabelled=tuple(example.text for example in raw.teacher_texts),
        counterfactuals=asked,
        others=others,
    )


def teacher_data(configuration: Configuration, prepared: Prepared) -> TeacherData:
    """What the teachers learn from and are calibrated on."""
    asked, _ = split_counterfactuals(prepared.raw.counterfactuals, configuration.distillation)
    return TeacherData(
        prepared.raw.splits.train,
        prepared.raw.splits.dev,
        configuration.labels,
        configuration.task,
        use_shares=configuration.data.targets == "shares",
        counterfactuals=asked,
    )


def distillation_section(configuration: Configuration) -> Distillation:
    """The section ``[distillation]`` of ``configuration``, which has one."""
    assert configuration.distillation is not None  # noqa: S101 - the caller has checked
    return configuration.distillation
