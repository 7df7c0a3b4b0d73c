"""How many labels the queue saves: ``python -m tests.trials.active_learning NAME=FOLDER ...``.

A folder has ``train.jsonl.gz``, and ``dev.jsonl.gz`` or a tenth of the texts is held out: JSON
lines with ``text`` and ``label``. A linear model begins with a few random labels. In each round it
is trained anew, and asks for more: at random, or by the queue of ``valence queue``. The goal is the
accuracy of a model with all labels, less the points that the gate lets a group lose. The labels
that reach it are the mean of ``--seeds``; between two rounds the curve is a line. The table and the
curves go to ``docs/measured/active-learning.md`` after each data set. Ends
with 1 if the queue needs more than ``MOST_SHARE`` of the labels that random needs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from valence.service.monitoring.worth import measure_uncertainty
from valence.training.active_learning.choice import Worth, choose_texts, select_candidates
from valence.training.config.schema import NGramSection, Text
from valence.training.corpora.example import Example
from valence.training.data.batches import EncodedTexts
from valence.training.data.vocabulary import build_vocabulary
from valence.training.linear.ngram_model import NGramModel, fit_ngram_model

from tests.trials.bench.measure import say

Strategy = Literal["random", "queue"]
STRATEGIES: tuple[Strategy, ...] = ("random", "queue")
MOST_SHARE = 0.6
POINTS = 2.0
"""What the gate lets a group of texts lose."""
PAGE = Path(__file__).parents[2] / "docs" / "measured" / "active-learning.md"
_START, _END = "<!-- measured: labels -->\n", "<!-- end: labels -->"
_MAX_TOKENS = 64
# the curve is followed so far
_MOST_LABELS = 0.9
_WIDTH, _HEIGHT, _LEFT, _TOP = 320, 200, 44, 24


class Point(NamedTuple):
    """The accuracy of a model of so many labels."""

    labels: int
    accuracy: float


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for one data set."""

    name: str
    texts: int
    all_labels: float
    goal: float
    curves: dict[Strategy, list[list[Point]]]
    """A curve for each seed."""

    def count_labels(self, strategy: Strategy) -> float:
        """The labels that reach the goal, as the mean of the seeds."""
        return float(np.mean([find_crossing(one, self.goal) for one in self.curves[strategy]]))

    @property
    def share(self) -> float:
        """The labels of the queue, as a share of those of random."""
        return self.count_labels("queue") / self.count_labels("random")


class Task:
    """Texts whose labels are asked for, and held-out texts that judge."""

    def __init__(self, name: str, folder: Path, most_texts: int | None = None) -> None:
        self.name = name
        examples = _read(folder / "train.jsonl.gz", name)
        # one order, whatever the seed of a run
        order = np.random.default_rng(0).permutation(len(examples))
        if (folder / "dev.jsonl.gz").exists():
            held_out = _read(folder / "dev.jsonl.gz", name)
        else:
            held_out = [examples[index] for index in order[: len(order) // 10]]
            order = order[len(order) // 10 :]
        pool = [examples[index] for index in order[:most_texts]]
        self.labels = tuple(sorted({str(example.label) for example in pool}))
        held_out = [example for example in held_out if example.label in self.labels]
        self._vocabulary = build_vocabulary(
            (example.text for example in pool), Text(minimum_count=1, misspelled="unknown")
        )
        self.pool, self._held_out = self._encode(pool), self._encode(held_out)
        places = {label: index for index, label in enumerate(self.labels)}
        self._truth = np.array([places[str(example.label)] for example in held_out])

    def __len__(self) -> int:
        return len(self.pool)

    def _encode(self, examples: Sequence[Example]) -> EncodedTexts:
        return EncodedTexts(
            examples, self._vocabulary, labels=self.labels, max_tokens=_MAX_TOKENS, use_shares=False
        )

    def fit(self, rows: NDArray[np.int64]) -> NGramModel:
        """The model of the labels of these ``rows`` of the pool."""
        return fit_ngram_model(self.pool.take(np.sort(rows)), self._vocabulary, NGramSection())

    def measure(self, model: NGramModel) -> float:
        """The accuracy on the held-out texts."""
        found = model.compute_logits(self._held_out).argmax(axis=1)
        return float((found == self._truth).mean())

    def choose(self, model: NGramModel, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """The next ``count`` of the unlabelled ``rows``, as the queue has them."""
        texts = self.pool.take(rows)
        probabilities = softmax(model.compute_logits(texts).astype(np.float64), axis=1)
        worth = Worth(measure_uncertainty(probabilities), np.zeros(len(rows)))
        candidates = select_candidates(worth, count)
        vectors = model.compute_features(texts.take(candidates))
        return rows[candidates[choose_texts(worth.total[candidates], vectors, count)]]


def find_crossing(curve: Sequence[Point], goal: float) -> float:
    """The labels at which ``curve`` first reaches ``goal``; those of its end if it never does."""
    before = curve[0]
    for point in curve:
        if point.accuracy >= goal:
            if point is before:
                return float(point.labels)
            share = (goal - before.accuracy) / (point.accuracy - before.accuracy)
            return before.labels + share * (point.labels - before.labels)
        before = point
    return float(curve[-1].labels)


def run_task(task: Task, seeds: int, step: int) -> Found:
    """The curves of both strategies, each until it reaches the goal."""
    everything = np.arange(len(task))
    all_labels = task.measure(task.fit(everything))
    goal = all_labels - POINTS / 100
    say(f"{task.name}: {len(task):,} texts, {all_labels:.2%} with all labels")
    curves: dict[Strategy, list[list[Point]]] = {name: [] for name in STRATEGIES}
    for seed in range(seeds):
        for strategy in STRATEGIES:
            curve = follow_curve(task, strategy, seed=seed, step=step, goal=goal)
            curves[strategy].append(curve)
            reached = find_crossing(curve, goal)
            say(f"  {strategy}, seed {seed}: {reached:.0f} labels in {len(curve)} rounds")
    return Found(task.name, len(task), all_labels, goal, curves)


def follow_curve(
    task: Task, strategy: Strategy, *, seed: int, step: int, goal: float
) -> list[Point]:
    """Ask for ``step`` labels in each round, until the model reaches ``goal``."""
    random = np.random.default_rng(seed)
    everything = np.arange(len(task))
    labelled = random.choice(everything, step, replace=False)
    curve: list[Point] = []
    while True:
        model = task.fit(labelled)
        curve.append(Point(len(labelled), task.measure(model)))
        if curve[-1].accuracy >= goal or len(labelled) >= _MOST_LABELS * len(task):
            return curve
        rest = np.setdiff1d(everything, labelled)
        count = min(step, len(rest))
        more = (
            random.choice(rest, count, replace=False)
            if strategy == "random"
            else task.choose(model, rest, count)
        )
        labelled = np.concatenate([labelled, more])


def draw_table(found: Sequence[Found]) -> str:
    """The table of the page."""
    lines = [
        (
            "| data | texts | accuracy with all labels | goal | "
            "seeds | labels at random, mean | labels by the queue | share |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one.name} | {one.texts:,} | {one.all_labels:.1%} | {one.goal:.1%} | "
        f"{len(one.curves['queue'])} | "
        f"{one.count_labels('random'):,.0f} | {one.count_labels('queue'):,.0f} | {one.share:.0%} |"
        for one in found
    ]
    return "\n".join(lines)


def draw_curves(found: Sequence[Found]) -> str:
    """The curves of each data set beside each other, as SVG: thin lines are seeds."""
    parts = [
        (
            '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="11" '
            f'viewBox="0 0 {_WIDTH * len(found)} {_HEIGHT}" role="img">'
        ),
        "<title>Accuracy by the number of labels: random in grey, the queue in blue</title>",
        f'<rect width="{_WIDTH * len(found)}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    for place, one in enumerate(found):
        points = [point for curves in one.curves.values() for curve in curves for point in curve]
        most, low = max(p.labels for p in points), min(p.accuracy for p in points)
        high = max(one.all_labels, *(p.accuracy for p in points))

        def x(labels: float, place: int = place, most: int = most) -> float:
            return place * _WIDTH + _LEFT + (_WIDTH - _LEFT - 16) * labels / most

        def y(accuracy: float, low: float = low, high: float = high) -> float:
            return _TOP + (_HEIGHT - _TOP - 32) * (1 - (accuracy - low) / max(high - low, 1e-9))

        left, right, bottom = x(0), x(most), y(low)
        parts += [
            f'<text x="{left}" y="14">{one.name}: accuracy by labels</text>',
            (
                f'<path d="M{left:.1f} {y(high):.1f}V{bottom:.1f}H{right:.1f}" fill="none" '
                'stroke="#8c959f"/>'
            ),
            (
                f'<path d="M{left:.1f} {y(one.goal):.1f}H{right:.1f}" stroke="#bf6900" '
                'stroke-dasharray="4 3"/>'
            ),
            (
                f'<text x="{left - 4}" y="{y(one.goal) + 4:.1f}" text-anchor="end">{one.goal:.0%}'
                "</text>"
            ),
            f'<text x="{left - 4}" y="{bottom:.1f}" text-anchor="end">{low:.0%}</text>',
            f'<text x="{right:.1f}" y="{bottom + 14:.1f}" text-anchor="end">{most:,} labels</text>',
        ]
        for strategy, color in (("random", "#57606a"), ("queue", "#0969da")):
            for curve in one.curves[strategy]:
                line = " ".join(f"{x(p.labels):.1f},{y(p.accuracy):.1f}" for p in curve)
                parts.append(
                    f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5"/>'
                )
    return "\n".join([*parts, "</svg>"]) + "\n"


def write_page(found: Sequence[Found]) -> None:
    """Write the table and the curves of what is done."""
    PAGE.with_suffix(".svg").write_text(draw_curves(found), encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_START)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_START}\n{draw_table(found)}\n\n{_END}{after}", encoding="utf-8")


def _read(path: Path, name: str) -> list[Example]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [Example(row["text"], str(row["label"]), name) for row in rows]


def main() -> None:
    """Run the trial, and write its page."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.trials.active_learning", description=__doc__
    )
    parser.add_argument("data", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--step", type=float, default=0.04, help="share of the texts in a round")
    parser.add_argument("--most-texts", type=int, help="a random part of each data set")
    parser.add_argument("--no-page", action="store_true")
    asked = parser.parse_args()
    found: list[Found] = []
    for given in asked.data:
        name, _, folder = given.partition("=")
        task = Task(name, Path(folder), asked.most_texts)
        step = max(round(asked.step * len(task)), len(task.labels))
        found.append(run_task(task, asked.seeds, step))
        if not asked.no_page:
            write_page(found)
    say(draw_table(found))
    sys.exit(any(one.share > MOST_SHARE for one in found))


if __name__ == "__main__":
    main()
