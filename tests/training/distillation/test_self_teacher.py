from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.data import targets
from valence.training.data.preparation import prepare
from valence.training.data.split import Splits
from valence.training.distillation.self_teacher import SelfTeacher
from valence.training.distillation.teacher import TeacherData
from valence.training.metrics import calibration
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

pytestmark = pytest.mark.integration

LABELS = ("negative", "neutral", "positive")
Make = Callable[..., SelfTeacher]


@pytest.fixture
def itself(configured: Callable[..., Configuration], workspace: Workspace) -> Make:
    """Return a maker of self-teachers for the toy network; arguments change the configuration."""

    def make(*, reporter: Reporter, seed: int = 0, **sections: dict[str, object]) -> SelfTeacher:
        configuration = configured(**sections)
        prepared = prepare(configuration, Run(workspace, reporter))
        splits = prepared.raw.splits
        return SelfTeacher(
            configuration,
            # no teacher reads this label
            replace(
                prepared,
                raw=replace(
                    prepared.raw, teacher_texts=(Example("one", "none of ours", "elsewhere"),)
                ),
            ),
            None,
            TeacherData(splits.train, splits.dev, LABELS, "single_label", use_shares=True),
            seed=seed,
            run=Run(workspace, reporter),
        )

    return make


def networks(workspace: Workspace) -> list[Path]:
    kept = workspace.teachers.glob("*.safetensors")
    return [path for path in kept if not path.stem.endswith("-logits")]


def test_a_self_teacher_learns_and_is_calibrated_on_dev(
    itself: Make, splits: Splits, silent: type[Reporter]
) -> None:
    logits = itself(reporter=silent()).logits([example.text for example in splits.dev])
    truth = targets.label_indices(splits.dev, labels=LABELS, task="single_label")
    assert logits.dtype == np.float32
    assert (logits.argmax(axis=1) == truth).mean() > 0.9
    left = calibration.fit_temperature(logits.astype(np.float64), truth)
    # if every answer is right, only the lower bound of the temperature is left
    assert left == pytest.approx(1.0, abs=0.01) or (logits.argmax(axis=1) == truth).all()


def test_a_self_teacher_is_reused_for_another_student_seed(
    itself: Make, silent: type[Reporter], workspace: Workspace
) -> None:
    texts = ["good", "bad", "words that nobody knows"]
    first = itself(reporter=silent())
    reporter = silent()
    again = itself(reporter=reporter, optimization={"seed": 7}, distillation={"copies": 0})
    assert reporter.batches == 0
    assert np.array_equal(first.logits(texts), again.logits(texts))
    assert first.origin == again.origin
    assert len(networks(workspace)) == 1
    other = itself(reporter=silent(), seed=1)
    assert other.origin != first.origin
    assert not np.array_equal(first.logits(texts), other.logits(texts))


def test_an_interrupted_self_teacher_resumes(
    itself: Make, silent: type[Reporter], workspace: Workspace
) -> None:
    with pytest.raises(KeyboardInterrupt):
        itself(reporter=silent(stop_saying="epoch 2/3"))
    reporter = silent()
    interrupted = itself(reporter=reporter)
    assert "continuing after epoch 1 of an interrupted run" in reporter.said
    for kept in workspace.teachers.iterdir():
        kept.unlink()
    whole = itself(reporter=silent())
    assert np.array_equal(interrupted.logits(["good", "bad"]), whole.logits(["good", "bad"]))
    # the name depends on the weights; the file also holds durations
    assert interrupted.origin == whole.origin


def test_a_self_teacher_answers_a_text_only_once(itself: Make, silent: type[Reporter]) -> None:
    texts = ["good", "bad", "good", "words that nobody knows"]
    first = itself(reporter=silent()).logits(texts[:3])
    reporter = silent()
    again = itself(reporter=reporter).logits(texts)
    assert np.array_equal(again[:3], first)
    assert "self answers 1 texts" in reporter.said
    reporter = silent()
    assert np.array_equal(itself(reporter=reporter).logits(texts), again)
    assert not any(said.startswith("self answers") for said in reporter.said)
