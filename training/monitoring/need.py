"""The need of a new training, judged by the answers of ``GET /v1/monitor``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ValidationError
from valence.service.errors import ConfigurationError
from valence.training.shadow.sources import read_metrics

Reason = Literal["drift", "accuracy"]

# Of windows like the training, one in 10,000 drifts by chance: two, and a tenth, are no chance.
LEAST_DRIFTED, DRIFTED_SHARE = 2, 0.1
# Windows that tell the accuracy: the estimate of one alone has an interval of some points.
LEAST_WINDOWS = 2


class Need(NamedTuple):
    """Whether a training is needed, and why, in a sentence."""

    needed: bool
    why: str


class _Estimate(BaseModel):
    value: float


class _Window(BaseModel):
    accuracy: _Estimate | None
    drifted: list[str]


class _Report(BaseModel):
    model: str
    version: str
    reference_accuracy: float | None
    history: list[_Window]


class _Answer(BaseModel):
    models: list[_Report]


def judge_need(
    tag: str, reason: Reason, sources: Sequence[str], *, key: str, points: float
) -> Need:
    """Whether ``tag``, the version that is served, needs a new training for ``reason``.

    For ``drift``: a tenth of the windows that the servers remember have drifted, at least two. For
    ``accuracy``: the mean estimate is ``points`` or more below the accuracy of the training. Raises
    :class:`ConfigurationError` for a source that is no answer of ``GET /v1/monitor``, or that does
    not have the version.
    """
    reports = _find_reports(tag, sources, key)
    windows = [window for report in reports for window in report.history]
    if reason == "drift":
        return _judge_drift(tag, windows)
    return _judge_accuracy(tag, windows, reports[0].reference_accuracy, points)


def _find_reports(tag: str, sources: Sequence[str], key: str) -> list[_Report]:
    reports = []
    for text in read_metrics(sources, key=key):
        try:
            answer = _Answer.model_validate_json(text)
        except ValidationError:
            raise ConfigurationError(
                "--monitor: not an answer of GET /v1/monitor; give http://HOST:PORT/v1/monitor, or "
                "a file that holds such an answer"
            ) from None
        reports += [one for one in answer.models if f"{one.model}:{one.version}" == tag]
    if not reports:
        raise ConfigurationError(
            f"--monitor: no server counts the answers of {tag}, which the model store serves; wait "
            "until the servers have loaded it"
        )
    return reports


def _judge_drift(tag: str, windows: Sequence[_Window]) -> Need:
    drifted = [window for window in windows if window.drifted]
    signals = sorted({signal for window in drifted for signal in window.drifted})
    needed = len(drifted) >= LEAST_DRIFTED and len(drifted) >= DRIFTED_SHARE * len(windows)
    said = f": {', '.join(signals)}" if signals else ""
    return Need(needed, f"{len(drifted)} of {len(windows)} windows of {tag} have drifted{said}")


def _judge_accuracy(
    tag: str, windows: Sequence[_Window], reference: float | None, points: float
) -> Need:
    estimates = [window.accuracy.value for window in windows if window.accuracy is not None]
    if reference is None:
        raise ConfigurationError(
            f"--when accuracy: {tag} does not know its accuracy on held-out texts; train it anew"
        )
    if len(estimates) < LEAST_WINDOWS:
        return Need(False, f"{tag} has answered too few texts to estimate its accuracy")
    mean = sum(estimates) / len(estimates)
    return Need(
        100 * (reference - mean) >= points,
        f"the estimated accuracy of {tag} is {mean:.1%}, {reference:.1%} on held-out texts of the "
        "training",
    )
