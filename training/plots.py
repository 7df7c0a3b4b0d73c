"""The report's plots: SVG to be put inside a page, in the colors of that page.

Colors are CSS variables of the page, so a plot is as readable in dark mode as in light. Equal input
gives equal bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from valence.training.checkpoint import Epoch
from valence.training.evaluation import Evaluation

# drawn in these, which stand for a color of the page
_INK, _FAINT, _FIRST, _SECOND = "#010101", "#020202", "#030303", "#040404"
_PAGE_COLORS = {
    _INK: "var(--ink)",
    _FAINT: "var(--rule)",
    _FIRST: "var(--first)",
    _SECOND: "var(--second)",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "valence",
    "font.size": 11,
    "text.color": _INK,
    "text.parse_math": False,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
}


def learning_curve(history: Sequence[Epoch], *, kept_epoch: int) -> str:
    """Losses and dev macro-F1 by epoch, with the epoch whose weights were kept."""
    with matplotlib.rc_context():
        _set_style()
        figure = Figure(figsize=(8.4, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        epochs = [row.epoch for row in history]
        for axes, values, color, label in (
            (left, [row.train_loss for row in history], _SECOND, "train"),
            (left, [row.dev_loss for row in history], _FIRST, "dev"),
            (right, [row.dev_macro_f1 for row in history], _FIRST, "dev"),
        ):
            axes.plot(epochs, values, color=color, label=label, marker="o", markersize=4)
        for axes, title in ((left, "loss (nats)"), (right, "macro-F1 on dev")):
            axes.axvline(kept_epoch, color=_INK, linewidth=1, linestyle=(0, (2, 3)), zorder=0)
            axes.set_title(title)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        left.legend()
        return _svg(
            figure, "learning-curve", f"Loss and macro-F1 by epoch; epoch {kept_epoch} was kept"
        )


def reliability(evaluation: Evaluation) -> str:
    """Accuracy by confidence, and under it how many texts there are of each confidence."""
    with matplotlib.rc_context():
        _set_style()
        figure = Figure(figsize=(4.4, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        bins = evaluation.reliability
        width = bins[0].high - bins[0].low
        filled = [one for one in bins if one.count]
        upper.bar(
            [one.low for one in filled],
            [one.accuracy for one in filled],
            width=width * 0.92,
            align="edge",
            color=_FIRST,
        )
        upper.plot((0, 1), (0, 1), color=_INK, linewidth=1, linestyle=(0, (4, 3)))
        upper.plot(
            [one.confidence for one in filled],
            [one.accuracy for one in filled],
            color=_SECOND,
            linestyle="none",
            marker="o",
            markersize=5,
            clip_on=False,
        )
        upper.set_ylim(0, 1)
        single = evaluation.task == "single_label"
        upper.set_ylabel("accuracy" if single else "share with the label")
        _percent(upper, "y")
        lower.bar(
            [one.low for one in bins],
            [one.count for one in bins],
            width=width * 0.92,
            align="edge",
            color=_FIRST,
        )
        lower.set_xlim(0, 1)
        lower.set_xlabel("confidence" if single else "probability of a label")
        lower.set_ylabel("texts" if single else "decisions")
        lower.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        _percent(lower, "x")
        return _svg(figure, "reliability", "Accuracy by confidence, in 15 bins")


def _percent(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _set_style() -> None:
    # from the library's own defaults: a matplotlibrc of the user's must not change a report
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(_STYLE)


def _svg(figure: Figure, name: str, description: str) -> str:
    figure.set_facecolor("none")
    for axes in figure.axes:
        axes.set_facecolor("none")
    buffer = io.StringIO()
    # without its metadata an SVG does not tell when, or by which version, it was made
    figure.savefig(
        buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    content = buffer.getvalue()
    content = content[content.index("<svg") :].strip()
    for drawn, shown in _PAGE_COLORS.items():
        content = content.replace(drawn, shown)
    # the page's font, and its ids apart from those of the other plots on the page
    content = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", content)
    content = re.sub(r'\bid="', f'id="{name}-', content)
    content = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", content)
    # the page scales it
    content = re.sub(r' (?:width|height)="[\d.]+pt"', "", content, count=2)
    return content.replace("<svg", f'<svg role="img" aria-label="{description}"', 1)
