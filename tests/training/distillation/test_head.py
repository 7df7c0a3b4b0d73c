"""A last layer on the vectors of an encoder that stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from valence.training.data import targets
from valence.training.data.split import Splits
from valence.training.distillation import encoder_teacher
from valence.training.distillation.encoder_teacher import EncoderTeacher

pytestmark = pytest.mark.integration

LABELS = ("negative", "neutral", "positive")


@pytest.mark.parametrize(("tuning", "least"), [("head", 0.6), ("pairs", 0.9)])
def test_a_teacher_with_a_last_layer_learns_the_labels(
    teacher: Callable[..., EncoderTeacher], splits: Splits, tuning: str, least: float
) -> None:
    """The encoder of the tests is random, so its vectors alone tell the labels in part."""
    made = teacher(tuning=tuning, learning_rate=0.002)
    logits = made.logits([example.text for example in splits.dev])
    truth = targets.label_indices(splits.dev, labels=LABELS, task="single_label")
    assert (logits.argmax(axis=1) == truth).mean() > least


def test_the_encoder_stays_as_it_is(
    teacher: Callable[..., EncoderTeacher], splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = teacher(tuning="head")
    before = made._load_encoder().model.state_dict()
    seen: list[dict[str, torch.Tensor]] = []
    fit = encoder_teacher.fit_head

    def watch(network: encoder_teacher.EncoderClassifier, *given: object) -> None:
        fit(network, *given)  # type: ignore[arg-type]
        seen.append(network.encoder.state_dict())

    monkeypatch.setattr(encoder_teacher, "fit_head", watch)
    made.logits([splits.dev[0].text])
    (after,) = seen
    assert all(np.array_equal(before[name].numpy(), after[name].numpy()) for name in before)


def test_each_way_of_tuning_has_files_of_its_own(teacher: Callable[..., EncoderTeacher]) -> None:
    keys = {teacher(tuning=tuning)._key for tuning in ("whole", "head", "pairs")}
    assert len(keys) == 3
