"""The numbers at the top of the dashboard: the service against its objectives, and its models."""

from __future__ import annotations

from typing import NamedTuple

from tests.deploy.rows import SELECTOR

_POST = f'{SELECTOR},method="POST"'
_FAILED = f'{_POST},status=~"5.."'
_ANSWERED = f'{_POST},route!="/v1/classify/stream",status="200"'
_FAST = f'{_ANSWERED},le="0.25"'
_DRIFTED = f'{SELECTOR},outcome="drifted"'


class Stat(NamedTuple):
    """A number of the overview, with the values from which it has another colour."""

    title: str
    description: str
    unit: str
    expression: str
    steps: tuple[tuple[float | None, str], ...]
    alert: str = ""
    """The section of the runbook that the number leads to."""
    legend: str = ""
    """The name to show instead of the number."""


def _grown(metric: str, labels: str, by: str = "", span: str = "$__range") -> str:
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(increase({metric}{{{labels}}}[{span}]))"


def _marked(metric: str) -> str:
    return f"(sum(max by (namespace, pod, model) ({metric}{{{SELECTOR}}})) or vector(0))"


_GOOD, _WARNING, _BAD = "green", "orange", "red"
_BURN = ((None, _GOOD), (1, "yellow"), (6, _WARNING), (14.4, _BAD))
_NONE = ((None, _GOOD), (1, _BAD))
_NEUTRAL = ((None, "blue"),)

OVERVIEW = (
    Stat(
        "Alerts that fire",
        "Alerts of Valence that fire now.",
        "none",
        'count(ALERTS{alertname=~"Valence.*",alertstate="firing",namespace=~"$namespace"}) '
        "or vector(0)",
        _NONE,
    ),
    Stat(
        "Pods ready",
        "Pods that answer requests.",
        "none",
        f"sum(max by (namespace, pod) (valence_ready{{{SELECTOR}}})) or vector(0)",
        ((None, _BAD), (1, _GOOD)),
        "ValenceNotReady",
    ),
    Stat(
        "Answers without a server error",
        "Share of the requests of this time range that got another answer than 5xx. "
        "The objective is 99.9 %.",
        "percentunit",
        f"1 - ({_grown('valence_requests_total', _FAILED)} or vector(0)) "
        f"/ {_grown('valence_requests_total', _POST)}",
        ((None, _BAD), (0.999, _GOOD)),
        "ValenceErrorBudgetBurnsFast",
    ),
    Stat(
        "Error budget burns",
        "How many times faster than the objective allows errors came in the last hour. At 1 the "
        "budget of the month lasts a month, at 14.4 two days.",
        "suffix:x",
        f"max(job:valence_errors:ratio_rate1h{{{SELECTOR}}}) / 0.001",
        _BURN,
        "ValenceErrorBudgetBurnsSlowly",
    ),
    Stat(
        "Answers within 250 ms",
        "Share of the successful requests of this time range, streams aside. The objective is "
        "99 %.",
        "percentunit",
        f"{_grown('valence_request_duration_seconds_bucket', _FAST)} "
        f"/ {_grown('valence_request_duration_seconds_count', _ANSWERED)}",
        ((None, _BAD), (0.99, _GOOD)),
        "ValenceLatencyBudgetBurnsFast",
    ),
    Stat(
        "Latency budget burns",
        "How many times faster than the objective allows slow answers came in the last hour.",
        "suffix:x",
        f"max(job:valence_slow:ratio_rate1h{{{SELECTOR}}}) / 0.01",
        _BURN,
        "ValenceLatencyBudgetBurnsSlowly",
    ),
    Stat(
        "Requests per second",
        "Requests that score texts.",
        "reqps",
        f"sum(rate(valence_requests_total{{{_POST}}}[$__rate_interval]))",
        _NEUTRAL,
    ),
    Stat(
        "Refused for lack of capacity",
        "Share of the requests that the queue, the deadline or the limit of connections refused.",
        "percentunit",
        f"(sum(rate(valence_rejected_requests_total{{{SELECTOR},"
        'reason=~"overloaded|deadline-exceeded|too-many-connections"}[5m])) or vector(0)) '
        f"/ sum(rate(valence_requests_total{{{SELECTOR}}}[5m]))",
        ((None, _GOOD), (0.001, _WARNING), (0.01, _BAD)),
        "ValenceRejects",
    ),
    Stat(
        "Saturation",
        "The mean of the pods. The autoscaler keeps it at 35 %; an alert fires above 85 %.",
        "percentunit",
        f"avg(valence_saturation_ratio{{{SELECTOR}}})",
        ((None, _GOOD), (0.65, _WARNING), (0.85, _BAD)),
        "ValenceSaturated",
    ),
    Stat(
        "Estimated accuracy, against training",
        "Points between the accuracy that is estimated from the confidence of the last six hours "
        "and that on the held-out texts of the training, of the worst model. An alert fires below "
        "-5 points.",
        "percentunit",
        "min("
        f"{_grown('valence_estimated_right_texts_total', SELECTOR, 'model, version', '6h')} "
        f"/ {_grown('valence_monitored_texts_total', SELECTOR, 'model, version', '6h')} "
        f"- max by (model, version) (valence_reference_accuracy{{{SELECTOR}}}))",
        ((None, _BAD), (-0.05, _WARNING), (-0.02, _GOOD)),
        "ValenceAccuracyFalls",
    ),
    Stat(
        "Windows that drift",
        "Share of the windows of the last six hours that are not like the texts of the training, "
        "of the worst signal. An alert fires above 10 %.",
        "percentunit",
        "max("
        f"{_grown('valence_drift_windows_total', _DRIFTED, 'model, signal', '6h')} "
        f"/ {_grown('valence_drift_windows_total', SELECTOR, 'model, signal', '6h')})",
        ((None, _GOOD), (0.01, _WARNING), (0.1, _BAD)),
        "ValenceTextsDrift",
    ),
    Stat(
        "Versions refused",
        "Pods and models for which the version that the store or the source names is not served.",
        "none",
        f"{_marked('valence_model_refused')} + {_marked('valence_model_source_unread')}",
        _NONE,
        "ValenceModelRefused",
    ),
    Stat(
        "Models served",
        "The versions that pods serve, with the engine that computes them.",
        "none",
        f"count by (model, version, engine) (valence_model_info{{{SELECTOR}}} == 1)",
        _NEUTRAL,
        "ValenceVersionsMixed",
        "{{model}} {{version}} ({{engine}})",
    ),
)
