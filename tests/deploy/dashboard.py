"""Write deploy/monitoring/dashboard.json for Grafana from the definitions of the metrics.

    python -m tests.deploy.dashboard

Queries, units and descriptions come from the types and helps of the metrics, and titles from
:mod:`tests.deploy.rows`. A metric without a row, or a row with a removed metric, is an error, so
the dashboard cannot become outdated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.expressions import live_exposition
from tests.deploy.overview import OVERVIEW, Stat
from tests.deploy.rendering import ROOT
from tests.deploy.rows import OPEN, ROWS, SELECTOR, UNSHOWN, Panel, Query

FILE = ROOT / "deploy" / "monitoring" / "dashboard.json"
# the address in the rules, too; docs/operations/kubernetes.md says how to set it
RUNBOOK = "https://docs.example.com/valence/operations/runbook.html"
_SOURCE = {"type": "prometheus", "uid": "$datasource"}
_WIDTH, _HEIGHT, _COLUMNS = 8, 7, 24
_STAT_WIDTH, _STAT_HEIGHT = 4, 4


class Family(NamedTuple):
    """A metric in the exposition."""

    type: str
    help: str


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
        # lines and numbers of all panels at the place of the pointer
        "graphTooltip": 1,
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": list(_variables())},
        "annotations": {"list": list(_annotations())},
        "links": [
            {"type": "link", "title": "Runbook", "icon": "doc", "url": "${runbook}",
             "targetBlank": True}
        ],
        "panels": list(_panels(known)),
    }  # fmt: skip


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    for name in ("job", "namespace"):
        query = f"label_values(valence_build_info, {name})"
        yield {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": query, "refId": name},
            "definition": query,
            # a new pod may bring a new value
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        }
    yield {"name": "runbook", "type": "constant", "hide": 2, "query": RUNBOOK}


def _annotations() -> Iterator[dict[str, Any]]:
    """Yield what is marked on every panel: alerts, and versions that began to be served."""
    served = f"count by (model, version) (valence_model_info{{{SELECTOR}}}"
    for name, colour, expression, title in (
        (
            "Alerts",
            "red",
            'max by (alertname) (ALERTS{alertname=~"Valence.*",alertstate="firing"})',
            "{{alertname}}",
        ),
        (
            "New versions of models",
            "blue",
            f"{served} == 1) unless {served} offset 2m == 1)",
            "{{model}} {{version}} is served",
        ),
    ):
        yield {
            "name": name,
            "datasource": _SOURCE,
            "enable": True,
            "iconColor": colour,
            "target": {"refId": "Anno", "expr": expression, "interval": "60s"},
            "titleFormat": title,
        }


def _panels(known: dict[str, Family]) -> Iterator[dict[str, Any]]:
    identities = count(1)
    yield _row("Overview", 0, next(identities))
    y = 1
    for number, stat in enumerate(OVERVIEW):
        x = number * _STAT_WIDTH % _COLUMNS
        last = number == len(OVERVIEW) - 1
        place = {"x": x, "y": y, "w": _COLUMNS - x if last else _STAT_WIDTH, "h": _STAT_HEIGHT}
        yield {"id": next(identities), "gridPos": place, **_of_stat(stat)}
        if x + place["w"] == _COLUMNS:
            y += _STAT_HEIGHT
    for title, row in ROWS.items():
        head = _row(title, y, next(identities))
        y += 1
        drawn = []
        for number, panel in enumerate(row):
            x = number * _WIDTH % _COLUMNS
            place = {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT}
            content = (
                _of_query(panel)
                if isinstance(panel, Query)
                else _of_metric(panel, known[panel.metric])
            )
            drawn.append({"id": next(identities), "gridPos": place, **content})
            if x + _WIDTH == _COLUMNS or number == len(row) - 1:
                y += _HEIGHT
        if title in OPEN:
            yield head
            yield from drawn
        else:
            # Grafana keeps the panels of a closed row inside the row
            yield {**head, "collapsed": True, "panels": drawn}


def _row(title: str, y: int, identity: int) -> dict[str, Any]:
    place = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
    return {"id": identity, "type": "row", "title": title, "gridPos": place, "collapsed": False,
            "panels": []}  # fmt: skip


def _of_stat(stat: Stat) -> dict[str, Any]:
    steps = [{"value": value, "color": colour} for value, colour in stat.steps]
    nothing = {"type": "special", "options": {"match": "null+nan", "result": {"text": "no data"}}}
    panel = {
        "type": "stat",
        "title": stat.title,
        "description": stat.description,
        "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {
                "unit": stat.unit,
                "noValue": "no data",
                "mappings": [nothing],
                "color": {"mode": "thresholds"},
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
        "options": {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value" if stat.legend else "background",
            "graphMode": "none" if stat.legend or "$__range" in stat.expression else "area",
            "textMode": "value_and_name" if stat.legend else "value",
            "justifyMode": "center",
        },
        "targets": [
            {"refId": "A", "expr": stat.expression, "legendFormat": stat.legend or stat.title,
             "instant": "$__range" in stat.expression}
        ],
    }  # fmt: skip
    if stat.alert:
        url = f"${{runbook}}#{stat.alert.lower()}"
        panel["links"] = [{"title": f"Runbook: {stat.alert}", "url": url, "targetBlank": True}]
    return panel


def _of_metric(panel: Panel, family: Family) -> dict[str, Any]:
    *others, last = panel.by
    by = f"{', '.join(others)} and {last}" if others else last
    description = f"{family.help} Metric: {panel.metric}."
    unit = _unit(panel, family)
    title = f"{panel.title} by {by.replace('_', ' ')}"
    return _drawn(title, description, unit, list(_queries(panel, family)))


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
        "datasource": _SOURCE,
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
        rate = f"rate({panel.metric}_bucket{{{SELECTOR}}}[$__rate_interval])"
        for quantile in (0.5, 0.95, 0.99):
            yield (
                f"histogram_quantile({quantile}, sum by (le, {by}) ({rate}))",
                f"{legend} p{quantile * 100:g}",
            )
    elif family.type == "counter":
        expression = _rate(panel.metric, by)
        yield (f"{expression} / {_rate(panel.of, by)}" if panel.of else expression), legend
    elif panel.metric == "process_start_time_seconds":
        yield f"time() - max by ({by}) ({panel.metric}{{{SELECTOR}}})", legend
    else:
        yield f"max by ({by}) ({panel.metric}{{{SELECTOR}}})", legend


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}_total{{{SELECTOR}}}[$__rate_interval]))"


def _unit(panel: Panel, family: Family) -> str:
    if panel.of or panel.metric.endswith(("_ratio", "_accuracy", "_share")):
        return "percentunit"
    if panel.metric == "process_cpu_seconds":
        return "none"
    if panel.metric.endswith("_seconds"):
        return "s"
    if panel.metric.endswith("_bytes"):
        return "bytes"
    if panel.metric in ("valence_requests", "valence_key_requests", "valence_rejected_requests"):
        return "reqps"
    return "cps" if family.type == "counter" else "none"


def text(known: dict[str, Family]) -> str:
    """Return the content of the file."""
    return json.dumps(build(known), indent=1) + "\n"


if __name__ == "__main__":
    Path(FILE).write_text(text(families()), "utf-8")
