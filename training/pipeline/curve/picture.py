"""The learning curve as a picture, and in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from valence.training.pipeline.curve.forecast import Forecast, forecast_accuracy
from valence.training.pipeline.curve.points import Point
from valence.training.report import plots

_COLORS = (
    "<style>svg { --ink: #333; --rule: #ccc; --first: #1a6fb5; --second: #b5541a; "
    "background: #fff; font-family: sans-serif }</style>"
)


def describe_curve(points: Sequence[Point]) -> Iterator[str]:
    """The line that says what more labels would pay; then a line for each point."""
    best = max(_list_last(points), key=lambda point: point.accuracy)
    own = [point for point in points if point.model == best.model]
    if len(own) > 1:
        more = forecast_accuracy(own, 2 * best.labels)
        yield (
            f"{best.model}: accuracy {best.accuracy:.3f} with {best.labels:,} labels; "
            f"{more.labels:,} labels would give about {more.accuracy:.3f} "
            f"({more.accuracy - best.accuracy:+.3f}; {more.low:.3f} to {more.high:.3f})"
        )
    for point in points:
        folds = ", ".join(f"{accuracy:.3f}" for accuracy in point.accuracies)
        yield (
            f"{point.labels:,} labels: {point.model}, accuracy {point.accuracy:.3f} ({folds}), "
            f"macro-F1 {point.macro_f1:.3f}"
        )


def draw_curve(points: Sequence[Point]) -> str:
    """An SVG of accuracy over the number of labels, with the forecast of each model."""
    curves = {}
    for last in _list_last(points):
        own = [point for point in points if point.model == last.model]
        forecasts: list[Forecast] = []
        if len(own) > 1:
            forecasts = [forecast_accuracy(own, factor * last.labels) for factor in (2, 4)]
        curves[last.model] = plots.Curve(
            [(point.labels, point.accuracy) for point in own],
            [(each.labels, each.accuracy) for each in forecasts],
        )
    # a picture of its own has no page whose colors it could take
    head, end, rest = plots.plot_label_curve(curves).partition(">")
    return f"{head}{end}{_COLORS}{rest}"


def _list_last(points: Sequence[Point]) -> list[Point]:
    """The point of each model with the most labels."""
    last = {point.model: point for point in sorted(points, key=lambda point: point.labels)}
    return list(last.values())
