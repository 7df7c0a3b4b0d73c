"""The plots of reports: SVG that is embedded in a page and takes the colors of the page.

Colors are CSS variables of the page, so a plot is readable in dark mode and in light mode. Equal
input gives equal bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from valence.training.metrics.scores import Evaluation
from valence.training.trainer.checkpoint import Epoch

# placeholder colors; each is replaced by a color variable of the page
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


def plot_learning_curve(history: Sequence[Epoch], *, kept_epoch: int) -> str:
    """Two drawings by epoch: losses and dev macro-F1. Dotted: the epoch that was kept."""
    with matplotlib.rc_context():
        _set_style()
        epochs = [row.epoch for row in history]
        losses = {
            "train": ([row.train_loss for row in history], _SECOND),
            "dev": ([row.dev_loss for row in history], _FIRST),
        }
        scores = {"dev": ([row.dev_macro_f1 for row in history], _FIRST)}
        drawn = []
        # a drawing each: the page puts one under the other where both do not fit side by side
        for name, title, lines in (
            ("loss", "loss (nats)", losses),
            ("macro-f1", "macro-F1 on dev", scores),
        ):
            figure = Figure(figsize=(4.2, 3.0), layout="constrained")
            axes = figure.subplots()
            for label, (values, color) in lines.items():
                axes.plot(epochs, values, color=color, label=label, marker="o", markersize=4)
            axes.axvline(kept_epoch, color=_INK, linewidth=1, linestyle=(0, (2, 3)), zorder=0)
            axes.set_title(title)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if len(lines) > 1:
                axes.legend()
            described = f"{title} by epoch; epoch {kept_epoch} was kept"
            drawn.append(_render_svg(figure, f"curve-of-{name}", described))
        return "".join(drawn)


class Curve(NamedTuple):
    """Numbers of labels with accuracies, measured and then forecast."""

    measured: Sequence[tuple[int, float]]
    forecast: Sequence[tuple[int, float]]


def plot_label_curve(curves: Mapping[str, Curve]) -> str:
    """Accuracy over the number of labels, on a logarithmic axis; dotted where it is forecast."""
    with matplotlib.rc_context():
        _set_style()
        figure = Figure(figsize=(8.4, 4.2), layout="constrained")
        axes = figure.subplots()
        for (name, curve), color in zip(curves.items(), (_SECOND, _FIRST), strict=False):
            counts, accuracies = zip(*curve.measured, strict=True)
            axes.plot(counts, accuracies, color=color, label=name, marker="o", markersize=4)
            if curve.forecast:
                ahead = zip(*(curve.measured[-1], *curve.forecast), strict=True)
                axes.plot(*ahead, color=color, linestyle=(0, (1, 2)))
        axes.set_xscale("log")
        shown = sorted({labels for one in curves.values() for labels, _ in (*one[0], *one[1])})
        axes.set_xticks(shown, [f"{labels:,}" for labels in shown])
        axes.minorticks_off()
        axes.set_xlabel("labels; dotted: what more labels would give")
        axes.set_ylabel("accuracy")
        _format_percent(axes, "y")
        axes.legend()
        return _render_svg(figure, "label-curve", "Accuracy over the number of labels")


def plot_reliability(evaluation: Evaluation) -> str:
    """Accuracy by confidence, above a histogram of the confidences."""
    with matplotlib.rc_context():
        _set_style()
        figure = Figure(figsize=(4.4, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        bins = evaluation.reliability
        width = bins[0].high - bins[0].low
        filled = [bin_ for bin_ in bins if bin_.count]
        upper.bar(
            [bin_.low for bin_ in filled],
            [bin_.accuracy for bin_ in filled],
            width=width * 0.92,
            align="edge",
            color=_FIRST,
        )
        upper.plot((0, 1), (0, 1), color=_INK, linewidth=1, linestyle=(0, (4, 3)))
        upper.plot(
            [bin_.confidence for bin_ in filled],
            [bin_.accuracy for bin_ in filled],
            color=_SECOND,
            linestyle="none",
            marker="o",
            markersize=5,
            clip_on=False,
        )
        upper.set_ylim(0, 1)
        single = evaluation.task == "single_label"
        upper.set_ylabel("accuracy" if single else "share with the label")
        _format_percent(upper, "y")
        lower.bar(
            [bin_.low for bin_ in bins],
            [bin_.count for bin_ in bins],
            width=width * 0.92,
            align="edge",
            color=_FIRST,
        )
        lower.set_xlim(0, 1)
        lower.set_xlabel("confidence" if single else "probability of a label")
        lower.set_ylabel("texts" if single else "decisions")
        lower.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        _format_percent(lower, "x")
        return _render_svg(figure, "reliability", "Accuracy by confidence, in 15 bins")


def _format_percent(axes: Axes, name: str) -> None:
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _set_style() -> None:
    # start from the library's defaults: the user's matplotlibrc must not change a report
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(_STYLE)


def _render_svg(figure: Figure, name: str, description: str) -> str:
    figure.set_facecolor("none")
    for axes in figure.axes:
        axes.set_facecolor("none")
    buffer = io.StringIO()
    # metadata would hold the date and the version of matplotlib
    figure.savefig(
        buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    content = buffer.getvalue()
    content = content[content.index("<svg") :].strip()
    for drawn, shown in _PAGE_COLORS.items():
        content = content.replace(drawn, shown)
    # use the page's font, and make the ids unique among the plots of the page
    content = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", content)
    content = re.sub(r'\bid="', f'id="{name}-', content)
    content = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", content)
    # without width and height, the page scales the plot
    content = re.sub(r' (?:width|height)="[\d.]+pt"', "", content, count=2)
    return content.replace("<svg", f'<svg role="img" aria-label="{description}"', 1)
