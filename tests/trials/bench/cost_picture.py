"""The accuracy of programs over the cost of their requests, as SVG.

The picture has a ground of its own, and takes dark colors where the reader's system does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 480, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 468, 40, 352
_LINE = 17  # between two labels
_LETTER = 7.8  # the width of a letter, about
_NAMESPACE = "http://www.w3.org/2000/svg"
_STYLE = """\
svg { --ground: #fff; --ink: #24292f; --faint: #d0d7de; --own: #0969da; --peer: #953800 }
@media (prefers-color-scheme: dark) {
  svg { --ground: #0d1117; --ink: #e6edf3; --faint: #3d444d; --own: #58a6ff; --peer: #f0883e }
}
text { fill: var(--ink); font: 14px sans-serif }
.rule { stroke: var(--faint) }
.own { fill: var(--own) }
.peer { fill: var(--peer) }
text.own { font-weight: bold }"""


class Point(NamedTuple):
    """A program: CPU-seconds of a million requests, and macro-F1. The first is our own."""

    name: str
    cost: float
    score: float


class Label(NamedTuple):
    """A name between two places across, at a height that grows downwards."""

    name: str
    left: float
    right: float
    height: float

    def overlaps(self, other: Label) -> bool:
        """Whether letters of both would touch."""
        apart = self.right < other.left or other.right < self.left
        return not apart and abs(self.height - other.height) < _LINE


def draw_points(points: Sequence[Point]) -> str:
    """The picture of ``points``, with a logarithmic axis of costs."""
    costs = _list_ticks([point.cost for point in points])
    scores = [point.score for point in points]
    low, high = math.floor(min(scores) * 20) / 20, math.ceil(max(scores) * 20) / 20
    span = math.log(costs[-1] / costs[0])

    def x(cost: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * math.log(cost / costs[0]) / span

    def y(score: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (score - low) / (high - low or 1)

    told = "; ".join(f"{p.name} {p.score:.3f} at {p.cost:,.0f}" for p in points)
    size = f'width="{_WIDTH}" height="{_HEIGHT}"'
    lines = [
        f'<svg xmlns="{_NAMESPACE}" {size} viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>Macro-F1 over CPU-seconds of a million requests: {escape(told)}</title>",
        f"<style>\n{_STYLE}\n</style>",
        f'<rect {size} rx="6" fill="var(--ground)"/>',
        _write(12, 22, "macro-F1 on the test texts"),
        _write(_RIGHT, _HEIGHT - 12, "CPU-seconds of a million requests", anchor="end"),
    ]
    for step in range(round(low * 20), round(high * 20) + 1):
        at = y(step / 20)
        lines.append(f'<path class="rule" d="M{_LEFT} {at:.1f}H{_RIGHT}"/>')
        lines.append(_write(_LEFT - 8, at + 4, f"{step / 20:.2f}", anchor="end"))
    for cost in costs:
        at = x(cost)
        lines.append(f'<path class="rule" d="M{at:.1f} {_TOP}V{_BOTTOM}"/>')
        # the last label ends at the border
        anchor = "end" if cost == costs[-1] else "middle"
        lines.append(_write(at, _BOTTOM + 18, f"{cost:,.0f}", anchor=anchor))
    places = [(x(point.cost), y(point.score)) for point in points]
    labels = [_make_label(point.name, *place) for point, place in zip(points, places, strict=True)]
    for index, (place, label) in enumerate(zip(places, place_labels(labels), strict=True)):
        kind = "peer" if index else "own"
        lines.append(f'<circle class="{kind}" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="5.5"/>')
        lines.append(_write(label.left, label.height + 4, label.name, kind=kind))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _make_label(name: str, across: float, height: float) -> Label:
    """The label beside its point: on the right, or on the left where the border is near."""
    width = _LETTER * len(name)
    left = across + 10 if across + 10 + width < _RIGHT else across - 10 - width
    return Label(name, left, left + width, height)


def place_labels(labels: Sequence[Label]) -> list[Label]:
    """The labels, of which the higher of two that would overlap moves up."""
    placed = dict[int, Label]()
    for index in sorted(range(len(labels)), key=lambda index: -labels[index].height):
        label = labels[index]
        while any(label.overlaps(other) for other in placed.values()):
            label = label._replace(height=label.height - 1)
        placed[index] = label
    return [placed[index] for index in range(len(labels))]


def _write(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    """A line of text, without its letters' meaning in XML."""
    word = f' class="{kind}"' if kind else ""
    return f'<text{word} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _list_ticks(costs: Sequence[float]) -> list[float]:
    """1, 2 and 5 times powers of ten, from below the lowest cost to above the highest."""
    powers = range(math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs))) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    first = max(index for index, tick in enumerate(ticks) if tick <= min(costs))
    last = min(index for index, tick in enumerate(ticks) if tick >= max(costs))
    return ticks[first : max(last, first + 1) + 1]
