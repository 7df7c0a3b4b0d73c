"""Write deploy/monitoring/dashboard.json for Grafana from the definitions of the metrics.

    python -m tests.deploy.dashboard

Queries, units and descriptions come from the types and helps of the metrics. Those of recording
rules
and of foreign metrics are written here. A metric without a row, or a row with a removed metric, is
an
error, so the dashboard cannot become outdated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.expressions import live_exposition
from tests.deploy.rendering import ROOT

FILE = ROOT / "deploy" / "monitoring" / "dashboard.json"
_SELECTOR = 'job="valence",namespace="$namespace"'


class Family(NamedTuple):
    """A metric in the exposition."""

    type: str
    help: str


class Panel(NamedTuple):
    """A metric to draw, and the labels that distinguish its lines."""

    metric: str
    by: tuple[str, ...]
    of: str = ""
    """Name of another counter: the panel draws the share of ``metric`` in it."""


class Query(NamedTuple):
    """A query on recording rules or on foreign metrics."""

    title: str
    description: str
    unit: str
    expression: str
    legend: str


_CONTAINER = 'namespace="$namespace",container="valence"'


def _periods(kind: str) -> str:
    metric = f"container_cpu_cfs_{kind}_total{{{_CONTAINER}}}"
    return f"sum by (pod) (rate({metric}[$__rate_interval]))"


def _shadow_texts(outcomes: str) -> str:
    metric = f'valence_shadow_texts_total{{{_SELECTOR},outcome=~"{outcomes}"}}'
    return f"sum by (model, version, challenger) (rate({metric}[$__rate_interval]))"


ROWS: dict[str, tuple[Panel | Query, ...]] = {
    "Requests": (
        Panel("valence_requests", ("route",)),
        Panel("valence_requests", ("status",)),
        Panel("valence_request_duration_seconds", ("route",)),
        Panel("valence_key_requests", ("key",)),
        Panel("valence_key_texts", ("key",)),
        Panel("valence_key_tokens", ("key",)),
        Panel("valence_keys", ("pod", "state")),
        Panel("valence_keys_unread", ("pod",)),
        Panel("valence_log_lines_dropped", ("pod",)),
    ),
    "Stages": (Panel("valence_stage_duration_seconds", ("stage",)),),
    "Queue and batches": (
        Panel("valence_queue_items", ("pod", "model")),
        Panel("valence_queue_tokens", ("pod", "model")),
        Panel("valence_queue_age_seconds", ("pod", "model")),
        Panel("valence_batch_items", ("model",)),
        Panel("valence_batch_tokens", ("model",)),
        Panel("valence_rejected_requests", ("reason",)),
    ),
    "Saturation": (
        Panel("valence_saturation_ratio", ("pod",)),
        Panel("valence_requests_in_flight", ("pod",)),
        Panel("valence_ready", ("pod",)),
        Panel("process_cpu_seconds", ("pod",)),
        Panel("process_resident_memory_bytes", ("pod",)),
        Panel("process_open_fds", ("pod",)),
        Panel("process_start_time_seconds", ("pod",)),
        Query(
            "CPU throttled by pod",
            "Share of periods in which a container was held back by its CPU limit (cAdvisor). "
            "Nothing without a limit.",
            "percentunit",
            f"{_periods('throttled_periods')} / {_periods('periods')}",
            "{{pod}}",
        ),
    ),
    "GPU": (
        Query(
            "GPU busy by pod, gpu",
            "Share of time in which a kernel ran (NVIDIA's DCGM exporter).",
            "percent",
            f"max by (pod, gpu) (DCGM_FI_DEV_GPU_UTIL{{{_CONTAINER}}})",
            "{{pod}} {{gpu}}",
        ),
        Query(
            "GPU memory by pod, gpu",
            "Memory in use on the GPU (NVIDIA's DCGM exporter).",
            "decmbytes",
            f"max by (pod, gpu) (DCGM_FI_DEV_FB_USED{{{_CONTAINER}}})",
            "{{pod}} {{gpu}}",
        ),
    ),
    "Monitor": (
        Panel("valence_estimated_right_texts", ("model", "version"), of="valence_monitored_texts"),
        Panel("valence_reference_accuracy", ("model", "version")),
        Panel("valence_drift_windows", ("model", "version", "signal", "outcome")),
        Panel("valence_monitored_texts", ("model", "version")),
        Panel("valence_feedback", ("model", "version", "outcome")),
    ),
    "Drift": (
        Query(
            "Label shift by model, version",
            "Population stability index of the last hour's labels against the week's mean; "
            "ValenceLabelsDrift is above 0.25.",
            "none",
            f"model:valence_label_shift:psi{{{_SELECTOR}}}",
            "{{model}} {{version}}",
        ),
        Query(
            "Label share of the hour by model, version, label",
            "How the last hour's texts were labelled.",
            "percentunit",
            f"model:valence_label_share:rate1h{{{_SELECTOR}}}",
            "{{model}} {{version}} {{label}}",
        ),
        Query(
            "Label share of the week by model, version, label",
            "The mean of the hours of the week, which an hour is compared with.",
            "percentunit",
            f"model:valence_label_share:avg1w{{{_SELECTOR}}}",
            "{{model}} {{version}} {{label}}",
        ),
    ),
    "Models": (
        Panel("valence_predictions", ("model", "version", "label")),
        Panel("valence_uncertain_texts", ("model", "version")),
        Panel("valence_tokens", ("model", "version")),
        Panel("valence_unknown_tokens", ("model", "version"), of="valence_tokens"),
        Panel("valence_truncated_texts", ("model", "version"), of="valence_predictions"),
        Panel("valence_cache_hits", ("model", "version")),
        Panel("valence_cache_misses", ("model", "version")),
    ),
    "Shadow": (
        Panel("valence_shadow_texts", ("model", "challenger", "outcome")),
        Query(
            "Disagreement by model, version, challenger",
            "Share of the texts to which the challenger gives other labels, or none; "
            "ValenceShadowDisagrees is above 25 % of an hour.",
            "percentunit",
            f"{_shadow_texts('differed|failed')} / {_shadow_texts('agreed|differed|failed')}",
            "{{model}} {{version}} {{challenger}}",
        ),
        Panel("valence_shadow_predictions", ("model", "challenger", "source", "label")),
        Panel("valence_shadow_probability_difference", ("model", "challenger")),
        Panel("valence_shadow_engine_seconds", ("model", "challenger", "source")),
        Panel("valence_shadow_share", ("pod", "model")),
    ),
    "Release": (
        Panel("valence_model_info", ("model", "version", "engine")),
        Panel("valence_model_alias", ("pod", "model", "alias", "version")),
        Panel("valence_model_reload", ("model", "outcome")),
        Panel("valence_model_refused", ("pod", "model")),
        Panel("valence_model_pulls", ("model", "outcome")),
        Panel("valence_model_source_unread", ("pod", "model")),
        Panel("valence_build_info", ("service_version",)),
    ),
}
# another panel shows the first ones better; the others repeat under BentoML's names
UNSHOWN = {
    "process_virtual_memory_bytes",
    "process_max_fds",
    "bentoml_service_request",
    "bentoml_service_request_duration_seconds",
}
_WIDTH, _HEIGHT, _COLUMNS = 8, 7, 24


def families() -> dict[str, Family]:
    """Return every metric family of a live exposition, except the library's creation times."""
    return {
        family.name: Family(family.type, family.documentation)
        for family in text_string_to_metric_families(live_exposition())
        if not family.name.endswith("_created")
    }


def build(known: dict[str, Family]) -> dict[str, Any]:
    """Return the dashboard; raises :class:`ValueError` if rows and metrics do not match."""
    panels = [panel for row in ROWS.values() for panel in row]
    shown = {panel.metric for panel in panels if isinstance(panel, Panel)} | UNSHOWN
    if shown != known.keys():
        raise ValueError(
            f"rows lack {sorted(known.keys() - shown)}; not measured {sorted(shown - known.keys())}"
        )
    return {
        "uid": "valence",
        "title": "Valence",
        "tags": ["valence"],
        "schemaVersion": 41,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                {
                    "name": "namespace",
                    "type": "query",
                    "datasource": {"type": "prometheus", "uid": "$datasource"},
                    "query": "label_values(valence_build_info, namespace)",
                },
            ]
        },
        "panels": list(_panels(known)),
    }


def _panels(known: dict[str, Family]) -> Iterator[dict[str, Any]]:
    y, identity = 0, 0
    for title, row in ROWS.items():
        identity += 1
        place = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
        yield {"id": identity, "type": "row", "title": title, "gridPos": place, "panels": []}
        y += 1
        for number, panel in enumerate(row):
            identity += 1
            x = number * _WIDTH % _COLUMNS
            place = {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT}
            if isinstance(panel, Query):
                drawn = _of_query(panel)
            else:
                drawn = _of_metric(panel, known[panel.metric])
            yield {"id": identity, "gridPos": place, **drawn}
            if x + _WIDTH == _COLUMNS or number == len(row) - 1:
                y += _HEIGHT


def _of_metric(panel: Panel, family: Family) -> dict[str, Any]:
    share = f" of {panel.of}" if panel.of else ""
    title = f"{panel.metric}{share} by {', '.join(panel.by)}"
    return _drawn(title, family.help, _unit(panel, family), list(_queries(panel, family)))


def _of_query(query: Query) -> dict[str, Any]:
    targets = [(query.expression, query.legend)]
    return _drawn(query.title, query.description, query.unit, targets)


def _drawn(
    title: str, description: str, unit: str, targets: list[tuple[str, str]]
) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": title,
        "description": description,
        "datasource": {"type": "prometheus", "uid": "$datasource"},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": expression, "legendFormat": legend}
            for number, (expression, legend) in enumerate(targets)
        ],
    }


def _queries(panel: Panel, family: Family) -> Iterator[tuple[str, str]]:
    by = ", ".join(panel.by)
    legend = " ".join(f"{{{{{label}}}}}" for label in panel.by)
    if family.type == "histogram":
        rate = f"rate({panel.metric}_bucket{{{_SELECTOR}}}[$__rate_interval])"
        for quantile in (0.5, 0.95, 0.99):
            yield (
                f"histogram_quantile({quantile}, sum by (le, {by}) ({rate}))",
                f"{legend} p{quantile * 100:g}",
            )
    elif family.type == "counter":
        expression = _rate(panel.metric, by)
        yield (f"{expression} / {_rate(panel.of, by)}" if panel.of else expression), legend
    elif panel.metric == "process_start_time_seconds":
        yield f"time() - max by ({by}) ({panel.metric}{{{_SELECTOR}}})", legend
    else:
        yield f"max by ({by}) ({panel.metric}{{{_SELECTOR}}})", legend


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}_total{{{_SELECTOR}}}[$__rate_interval]))"


def _unit(panel: Panel, family: Family) -> str:
    if panel.of:
        return "percentunit"
    if panel.metric == "process_cpu_seconds":
        return "none"
    if panel.metric.endswith("_seconds"):
        return "s"
    if panel.metric.endswith("_bytes"):
        return "bytes"
    if panel.metric.endswith("_ratio"):
        return "percentunit"
    return "cps" if family.type == "counter" else "none"


def text(known: dict[str, Family]) -> str:
    """Return the content of the file."""
    return json.dumps(build(known), indent=1) + "\n"


if __name__ == "__main__":
    Path(FILE).write_text(text(families()), "utf-8")
