"""Answers about the published corpora are found again; fetches corpora and vectors, takes minutes.

python -m pytest -m slow tests/training/distillation/test_real_answers.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from valence.training.config import loader
from valence.training.config.locations import PRESETS
from valence.training.data.preparation import load_texts
from valence.training.data.split import hash_examples
from valence.training.distillation import answer_file, live_answers
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

pytestmark = pytest.mark.slow

WORKSPACE = Path(__file__).parents[3] / ".valence"
MOST_BYTES = 4_000_000


def test_another_processor_finds_nearly_all_answers(tmp_path: Path, silent: type[Reporter]) -> None:
    """Near words come from products of matrices, which each kind of processor rounds its own way.

    OpenBLAS, with which numpy multiplies, is told to compute as an older processor.
    """
    file, output = tmp_path / "sentiment.toml", tmp_path / "sentiment.safetensors"
    preset = (PRESETS / "sentiment.toml").read_text("utf-8")
    # a linear teacher answers in a minute; the texts are those of any teacher
    asked = preset.replace('answers = "sentiment"', 'teacher = "n-grams"')
    assert asked != preset
    file.write_text(asked, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "valence.training", "teach", file, output, "--workspace", WORKSPACE],
        env={**os.environ, "OPENBLAS_CORETYPE": "Haswell"},
        check=True,
    )
    assert output.stat().st_size <= MOST_BYTES
    configuration = loader.load_configuration(file)
    raw = load_texts(configuration, Run(Workspace(WORKSPACE), silent()))
    questions = live_answers.list_questions(configuration, raw)
    stored = answer_file.read_answers(output, labels=configuration.labels, task=configuration.task)

    def share_of(texts: tuple[str, ...]) -> float:
        return float((~np.isnan(stored.probabilities(texts)[:, 0])).mean())

    assert len(questions.augmented) > 100_000
    assert len(questions.counterfactuals) > 10_000
    assert share_of(questions.labelled) == 1.0
    assert share_of(tuple(each.text for each in questions.counterfactuals)) > 0.999
    assert share_of(questions.augmented) > 0.99
    held_out = (*raw.splits.dev, *raw.splits.test)
    assert share_of(tuple(each.text for each in held_out)) == 0.0


def test_the_published_answers_are_about_the_pinned_corpora(silent: type[Reporter]) -> None:
    configuration = loader.load_configuration(PRESETS / "sentiment.toml")
    raw = load_texts(configuration, Run(Workspace(WORKSPACE), silent()))
    path = answer_file.find_answers("sentiment")
    stored = answer_file.read_answers(path, labels=configuration.labels, task=configuration.task)
    questions = live_answers.list_questions(configuration, raw)
    assert stored.record.train_sha256 == hash_examples(raw.splits.train)
    assert stored.record.dev_sha256 == hash_examples(raw.splits.dev)
    for texts in (questions.labelled, questions.augmented):
        assert not np.isnan(stored.probabilities(texts)).any()
    asked = tuple(example.text for example in questions.counterfactuals)
    assert not np.isnan(stored.probabilities(asked)).any()
    held_out = [example.text for example in (*raw.splits.dev, *raw.splits.test)]
    assert np.isnan(stored.probabilities(held_out)).all()
