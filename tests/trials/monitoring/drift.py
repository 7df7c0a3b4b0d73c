"""Alarms of the monitor: how many on texts like those of the training, how soon on others.

A run takes a random half of the held-out texts as the reference and serves the other half, so each
run has a reference and texts of its own. The limits, the windows and their verdicts are those of
the service.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from valence.service.monitoring.monitor import WINDOW_TEXTS, WINDOWS_PER_FALSE_ALARM
from valence.service.monitoring.signals import Board, Rows
from valence.service.monitoring.windows import Windows
from valence.training.corpora.example import Example

from tests.trials.monitoring.held_out import ServedModel

NULL_RUNS, DRIFT_RUNS = 100, 20
MOST_TEXTS, MOST_FALSE_ALARMS = 1_000, 1


class Delay(NamedTuple):
    """How many drifting texts came before the alarm of each run; none if no alarm came."""

    drift: str
    texts: Sequence[int | None]
    signals: Sequence[str]
    """The signals that drifted in most runs."""

    @property
    def soon(self) -> bool:
        """Whether every run had its alarm within :data:`MOST_TEXTS` texts."""
        return all(texts is not None and texts <= MOST_TEXTS for texts in self.texts)


class Alarms(NamedTuple):
    """The alarms of one model."""

    model: str
    reference: int
    """The texts of the reference of each run."""
    null_texts: int
    """The texts of each null run."""
    null_windows: int
    false_alarms: int
    delays: Sequence[Delay]


def count_alarms(model: ServedModel, others: dict[str, Sequence[Example]]) -> Alarms:
    """The alarms of ``model`` on its own texts and on those of ``others``, by name."""
    examples = [*model.splits.dev, *model.splits.test]
    rows = model.answer(examples).rows
    half = len(rows) // 2
    random = np.random.default_rng(0)
    false_alarms = windows = 0
    for _ in range(NULL_RUNS):
        order = random.permutation(len(rows))
        full = _watch(model, rows[order[:half]], rows[order[half:]])
        windows += len(full)
        false_alarms += any(full)
    drifts = {**_mix_labels(model, examples, rows), **_answer(model, others)}
    delays = [
        _measure_delay(model, name, rows, drifting, random) for name, drifting in drifts.items()
    ]
    return Alarms(model.name, half, len(rows) - half, windows // NULL_RUNS, false_alarms, delays)


def _watch(model: ServedModel, reference: Rows, served: Rows) -> list[set[str]]:
    """The signals that drift in each full window of ``served``."""
    signals = model.reader.signals
    bare = [dataclasses.replace(one, expected=None) for one in signals]
    counter = Board(bare, window=WINDOW_TEXTS, rate=1.0)
    counted = counter.split(counter.count(reference))
    known = [dataclasses.replace(one, expected=counted[one.name]) for one in signals]
    board = Board(known, window=WINDOW_TEXTS, rate=1 / WINDOWS_PER_FALSE_ALARM)
    found = []
    for window in Windows(board).add(served):
        drift = board.find_drift(window.counts)
        found.append({str(name) for name, drifted in drift.items() if drifted})
    return found


def _measure_delay(
    model: ServedModel, name: str, rows: Rows, drifting: Rows, random: np.random.Generator
) -> Delay:
    """Serve usual texts, and from a random moment on ``drifting`` ones."""
    half = len(rows) // 2
    delays: list[int | None] = []
    signals: dict[str, int] = {}
    for _ in range(DRIFT_RUNS):
        order = random.permutation(len(rows))
        before = int(random.integers(0, min(WINDOW_TEXTS, half)))
        later = random.integers(0, len(drifting), size=MOST_TEXTS)
        served = np.concatenate([rows[order[half : half + before]], drifting[later]])
        full = _watch(model, rows[order[:half]], served)
        first = next((place for place, drifted in enumerate(full) if drifted), None)
        delays.append(None if first is None else (first + 1) * WINDOW_TEXTS - before)
        for signal in set().union(*full):
            signals[signal] = signals.get(signal, 0) + 1
    return Delay(name, delays, [one for one, runs in signals.items() if runs > DRIFT_RUNS / 2])


def _mix_labels(model: ServedModel, examples: Sequence[Example], rows: Rows) -> dict[str, Rows]:
    """The model's own texts with another mix of labels: two thirds have the rarest one."""
    truth = model.find_truth(examples)
    labels, counts = np.unique(truth, return_counts=True)
    rarest = labels[counts.argmin()]
    random = np.random.default_rng(1)
    places = np.concatenate(
        [
            random.choice(np.flatnonzero(truth == rarest), size=2_000),
            random.choice(np.flatnonzero(truth != rarest), size=1_000),
        ]
    )
    name = f"two thirds have the label {model.manifest.labels[rarest]}"
    return {name: rows[places]}


def _answer(model: ServedModel, others: dict[str, Sequence[Example]]) -> dict[str, Rows]:
    return {name: model.answer(examples).rows for name, examples in others.items()}
