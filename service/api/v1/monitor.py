"""``GET /v1/monitor``: how far the answers are from the training, and how many are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue
from valence.service.api.http.outcome import Outcome
from valence.service.api.http.request import Request
from valence.service.api.http.response import Response
from valence.service.api.http.routes import Context, Operation, Route
from valence.service.errors import Unavailable
from valence.service.inference.scorer import Scorer
from valence.service.monitoring import accuracy
from valence.service.monitoring.limits import Counts
from valence.service.monitoring.monitor import WINDOWS_PER_FALSE_ALARM, Monitor, judge_windows
from valence.service.monitoring.signals import Board, Name, Signal
from valence.service.monitoring.windows import History

Share = Annotated[float, Field(ge=0, le=1)]


class EstimatedAccuracy(BaseModel):
    """An accuracy that is estimated from confidence (CBPE), with a 95 % interval."""

    value: Share
    low: Share
    high: Share


class ClassShares(BaseModel):
    """A class of a signal: a label, a language, or a range up to a bound."""

    name: Annotated[
        str,
        Field(description="A label or a language; the upper bound of a range; empty: no bound."),
    ]
    expected: Annotated[Share | None, Field(description="Of the held-out texts of the training.")]
    recent: Annotated[
        Share | None,
        Field(description="Of the newest full window; of the window that fills, if none is full."),
    ]


class LimitedShare(BaseModel):
    """What is judged of a window: the share of a class, or of the ranges up to a bound."""

    name: str
    expected: Share
    low: Annotated[Share, Field(description="A lower share is drift.")]
    high: Annotated[Share, Field(description="A higher share is drift.")]
    recent: Annotated[Share, Field(description="Of the newest full window.")]
    drifted: bool


class SignalReport(BaseModel):
    """One signal of the answers."""

    signal: Name
    drifted: Annotated[
        bool | None,
        Field(
            description="Whether the newest full window has drifted from the training. Null: no "
            "window is full, or the model does not know how its training was."
        ),
    ]
    ordered: Annotated[bool, Field(description="Whether the classes are ranges of a number.")]
    window_texts: Annotated[int, Field(description="The texts of a full window.")]
    filled_texts: Annotated[int, Field(description="The texts of the window that fills.")]
    windows: Annotated[int, Field(description="The windows that were full so far.")]
    classes: list[ClassShares]
    limits: list[LimitedShare]


class WindowReport(BaseModel):
    """A full window of answers."""

    ended: Annotated[int, Field(description="When it was full, in seconds since 1970.")]
    accuracy: EstimatedAccuracy | None
    drifted: Annotated[list[Name], Field(description="The signals that had drifted.")]


class MonitorReport(BaseModel):
    """What was counted of one version since the server has started."""

    model: str
    version: str
    drifted: Annotated[
        list[Name], Field(description="The signals whose newest full window has drifted.")
    ]
    texts: Annotated[int, Field(description="The texts that were counted.")]
    accuracy: Annotated[
        EstimatedAccuracy | None,
        Field(description="Of all these texts. Null: none, or the model has no reference."),
    ]
    reference_texts: Annotated[
        int | None, Field(description="The held-out texts of the training. Null: not known.")
    ]
    reference_accuracy: Annotated[Share | None, Field(description="On these texts.")]
    windows_per_false_alarm: Annotated[
        int,
        Field(
            description="Of texts like those of the training, at most one window in so many "
            "signals of a window together."
        ),
    ]
    signals: list[SignalReport]
    history: Annotated[
        list[WindowReport], Field(description="The newest full windows, the oldest first.")
    ]


class MonitorList(BaseModel):
    """All versions in memory."""

    models: list[MonitorReport]


async def show_monitor(context: Context, request: Request) -> Outcome:  # noqa: ARG001
    """Answer ``GET /v1/monitor``."""
    context.models.require_serving()
    if not context.settings.monitor:
        raise Unavailable("this service does not count its answers; VALENCE_MONITOR=true lets it")
    reports = [
        _report(scorer, scorer.monitor)
        for name in context.models.names
        for scorer in context.models.versions(name)
        if scorer.monitor is not None
    ]
    return Outcome(Response(MonitorList(models=reports).model_dump_json().encode()))


def _report(scorer: Scorer, monitor: Monitor) -> MonitorReport:
    monitor.flush()
    answers = monitor.answers.read()
    signals = [
        signal
        for windows in monitor.boards()
        for signal in _report_signals(
            windows.board, answers if windows is monitor.answers else windows.read()
        )
    ]
    reference = monitor.reference
    return MonitorReport(
        model=scorer.name,
        version=scorer.version,
        drifted=[signal.signal for signal in signals if signal.drifted],
        texts=int(answers.windows * monitor.answers.board.window + answers.filled),
        accuracy=_show(monitor.estimate_accuracy(answers.total + answers.filling)),
        reference_texts=reference.texts if reference else None,
        reference_accuracy=reference.accuracy if reference else None,
        windows_per_false_alarm=WINDOWS_PER_FALSE_ALARM,
        signals=signals,
        history=[
            WindowReport(
                ended=window.ended,
                accuracy=_show(monitor.estimate_accuracy(window.counts)),
                drifted=[name for name, drifted in found.items() if drifted],
            )
            for window, found in judge_windows(monitor.answers, answers)
        ],
    )


def _show(estimate: accuracy.Estimate | None) -> EstimatedAccuracy | None:
    return None if estimate is None else EstimatedAccuracy(**estimate._asdict())


def _report_signals(board: Board, history: History) -> list[SignalReport]:
    full = history.last[-1].counts if history.last else None
    counts = history.filling if full is None else full
    texts = history.filled if full is None else board.window
    recent = board.split(counts)
    drift = {} if full is None else board.find_drift(full)
    limits = [] if full is None else _report_limits(board, full)
    return [
        SignalReport(
            signal=signal.name,
            drifted=drift.get(signal.name),
            ordered=signal.ordered,
            window_texts=board.window,
            filled_texts=history.filled,
            windows=history.windows,
            classes=_report_classes(signal, recent[signal.name], texts),
            limits=[limit for name, limit in limits if name == signal.name],
        )
        for signal in board.signals
    ]


def _report_classes(signal: Signal, recent: Counts, texts: int) -> list[ClassShares]:
    expected: Sequence[float | None] = [None] * len(signal.classes)
    if signal.expected is not None:
        expected = (signal.expected / signal.expected.sum()).tolist()
    shares = (recent / texts).tolist() if texts else [None] * len(signal.classes)
    return [
        ClassShares(name=name, expected=known, recent=share)
        for name, known, share in zip(signal.classes, expected, shares, strict=True)
    ]


def _report_limits(board: Board, counts: Counts) -> list[tuple[Name, LimitedShare]]:
    events = board.count_events(counts)
    low, high = board.limits
    return [
        (
            signal,
            LimitedShare(
                name=name,
                expected=board.expected[place] / board.totals[place],
                low=low[place] / board.window,
                high=high[place] / board.window,
                recent=events[place] / board.window,
                drifted=bool(events[place] < low[place] or events[place] > high[place]),
            ),
        )
        for place, (signal, name) in enumerate(board.event_names)
    ]


_ESTIMATE: JsonValue = {"value": 0.731, "low": 0.7, "high": 0.762}

ROUTES = (
    Route(
        method="GET",
        path="/v1/monitor",
        handler=show_monitor,
        scope="metrics",
        operation=Operation(
            summary="Drift and estimated accuracy",
            description="For each version in memory: how far its answers are from those to the "
            "held-out texts of its training, by label, confidence, length, unknown words and "
            "language, and the accuracy that their confidence promises. The counts are those of "
            "all workers of this server since its start. No text is kept. Needs an API key with "
            "the scope `metrics`.",
            tag="operations",
            response=MonitorList,
            response_examples={
                "a model whose texts have become longer": {
                    "models": [
                        {
                            "model": "sentiment",
                            "version": "20260101t120000000-1a2b3c4d",
                            "drifted": ["length"],
                            "texts": 612,
                            "accuracy": _ESTIMATE,
                            "reference_texts": 11702,
                            "reference_accuracy": 0.739,
                            "windows_per_false_alarm": WINDOWS_PER_FALSE_ALARM,
                            "signals": [
                                {
                                    "signal": "length",
                                    "drifted": True,
                                    "ordered": True,
                                    "window_texts": 500,
                                    "filled_texts": 112,
                                    "windows": 1,
                                    "classes": [
                                        {"name": "16", "expected": 0.55, "recent": 0.2},
                                        {"name": "", "expected": 0.45, "recent": 0.8},
                                    ],
                                    "limits": [
                                        {
                                            "name": "16",
                                            "expected": 0.55,
                                            "low": 0.44,
                                            "high": 0.66,
                                            "recent": 0.2,
                                            "drifted": True,
                                        }
                                    ],
                                }
                            ],
                            "history": [
                                {"ended": 1767268800, "accuracy": _ESTIMATE, "drifted": ["length"]}
                            ],
                        }
                    ]
                }
            },
            errors=(Unavailable,),
        ),
    ),
)
