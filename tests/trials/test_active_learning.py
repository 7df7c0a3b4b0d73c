"""The crossing of a curve, and both strategies on texts that a test can judge."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.trials.active_learning import Found, Point, Task, draw_curves, find_crossing, run_task


def test_a_crossing_is_on_the_line_between_two_rounds() -> None:
    curve = [Point(100, 0.5), Point(200, 0.7), Point(300, 0.8)]
    assert find_crossing(curve, 0.75) == pytest.approx(250)
    assert find_crossing(curve, 0.4) == 100
    assert find_crossing(curve, 0.9) == 300


def test_the_share_is_that_of_mean_labels() -> None:
    def line(labels: int) -> list[Point]:
        return [Point(0, 0.0), Point(labels, 1.0)]

    found = Found(
        "toy", 9, 1.0, 0.5, {"random": [line(200), line(400)], "queue": [line(100), line(140)]}
    )
    assert found.share == pytest.approx(0.4)
    assert draw_curves([found]).count("<polyline") == 4


def test_both_strategies_reach_the_goal(tmp_path: Path) -> None:
    """Most texts are plain; those with a rare word decide, and the queue asks for them."""
    rows = [
        {"text": f"plain{n % 7} {'good' if n % 2 else 'bad'} word{n % 5}", "label": str(n % 2)}
        for n in range(300)
    ]
    with gzip.open(tmp_path / "train.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    found = run_task(Task("toy", tmp_path), 1, 10)
    assert found.all_labels == 1.0
    for curves in found.curves.values():
        assert curves[0][-1].accuracy >= found.goal
