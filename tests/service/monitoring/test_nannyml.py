"""The estimate beside NannyML itself, on the same scores, in its own environment::

    python -m venv build/nannyml && build/nannyml/bin/pip install nannyml statsmodels
    NANNYML_PYTHON=build/nannyml/bin/python python -m pytest -m slow \
        tests/service/monitoring/test_nannyml.py
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from valence.service.classifier.reference import CONFIDENCES, ConfidenceCounts
from valence.service.monitoring.accuracy import AccuracyEstimator

PYTHON = os.environ.get("NANNYML_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="NANNYML_PYTHON names no Python that has NannyML"),
]
LABELS = ("business", "science", "sport")
_ESTIMATE = """
import json, sys
import nannyml, pandas
labels, tables = sys.argv[1].split(","), [pandas.read_json(path) for path in sys.argv[2:]]
estimator = nannyml.CBPE(
    problem_type="classification_multiclass", metrics=["accuracy"], y_true="truth",
    y_pred="predicted", y_pred_proba={label: label for label in labels},
    chunk_size=len(tables[0]),
)
estimator.fit(tables[0])
found = []
for table in tables[1:]:
    estimator.chunker = nannyml.chunk.SizeBasedChunker(len(table))
    rows = estimator.estimate(table).filter(period="analysis").to_df()
    found.append(float(rows["accuracy"]["value"].iloc[0]))
print(json.dumps({"version": nannyml.__version__, "estimates": found}))
"""
Floats = NDArray[np.float64]


class Answers:
    """Scores of an overconfident model, and the true labels; a high ``doubt`` flattens scores."""

    def __init__(self, texts: int, seed: int, doubt: float) -> None:
        random = np.random.default_rng(seed)
        logits = random.normal(0.0, 2.0 / doubt, (texts, len(LABELS)))
        likely = np.exp(0.7 * logits)
        likely /= likely.sum(axis=1, keepdims=True)
        self.scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        self.truth = (random.random((texts, 1)) > likely.cumsum(axis=1)).sum(axis=1)
        self.predicted = self.scores.argmax(axis=1)

    @property
    def accuracy(self) -> float:
        return float((self.predicted == self.truth).mean())

    def count(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All answers and the right ones, by class of confidence."""
        classes = np.searchsorted(CONFIDENCES, self.scores.max(axis=1))
        right = self.predicted == self.truth
        length = len(CONFIDENCES) + 1
        return (
            np.bincount(classes, minlength=length),
            np.bincount(classes[right], minlength=length),
        )

    def write(self, path: Path, *, with_truth: bool) -> None:
        names = np.array(LABELS)
        table = {label: self.scores[:, place].tolist() for place, label in enumerate(LABELS)}
        labels = {"predicted": names[self.predicted].tolist()}
        if with_truth:
            labels["truth"] = names[self.truth].tolist()
        path.write_text(json.dumps({**table, **labels}))


def test_the_estimate_is_that_of_nannyml(tmp_path: Path) -> None:
    """On texts like those of the reference, and on texts that the model is less and more sure of.

    NannyML calibrates the probability of each label on its own, so the two differ a little.
    """
    reference = Answers(6_000, 1, 1.0)
    served = [Answers(4_000, 2, 1.0), Answers(4_000, 3, 2.0), Answers(4_000, 4, 0.5)]
    paths = [tmp_path / f"{number}.json" for number in range(4)]
    for path, answers in zip(paths, (reference, *served), strict=True):
        answers.write(path, with_truth=answers is reference)
    done = subprocess.run(
        [PYTHON, "-c", _ESTIMATE, ",".join(LABELS), *map(str, paths)],
        env={**os.environ, "NML_DISABLE_USAGE_LOGGING": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])["estimates"]
    texts, right = reference.count()
    estimator = AccuracyEstimator(
        ConfidenceCounts(bounds=CONFIDENCES, texts=tuple(texts), right=tuple(right))
    )
    for answers, their in zip(served, theirs, strict=True):
        ours = estimator.estimate(answers.count()[0])
        assert ours is not None
        assert ours.value == pytest.approx(their, abs=0.02)
        assert ours.value == pytest.approx(answers.accuracy, abs=0.02)
