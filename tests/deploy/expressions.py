"""Check that every expression of rules, autoscalers and dashboard parses and uses known metrics."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from prometheus_client.parser import text_string_to_metric_families
from valence.service.api.http.problems import KINDS
from valence.service.observability.metrics.model import ModelMetrics, ScoringRecord
from valence.service.observability.metrics.service import Metrics
from valence.service.observability.request_record import RequestRecord
from valence.service.server.refusals import REFUSALS

from tests.deploy.rendering import Rendered, title

# labels that Prometheus adds to scraped metrics
_ADDED = {"job", "namespace", "pod", "instance", "service", "container"}
# metrics of others: Prometheus has some for every target and alert, kube-state-metrics for every
# CronJob, the kubelet's cAdvisor for every container, NVIDIA's DCGM exporter for every GPU; with
# the labels that distinguish ours
ELSEWHERE = {
    "up": _ADDED,
    "ALERTS": {"alertname", "alertstate", "namespace"},
    "kube_cronjob_next_schedule_time": {"namespace", "cronjob"},
    "kube_cronjob_status_active": {"namespace", "cronjob"},
    "kube_cronjob_status_last_schedule_time": {"namespace", "cronjob"},
    "kube_cronjob_status_last_successful_time": {"namespace", "cronjob"},
    "container_cpu_cfs_throttled_periods_total": {"namespace", "pod", "container"},
    "container_cpu_cfs_periods_total": {"namespace", "pod", "container"},
    "DCGM_FI_DEV_GPU_UTIL": {"namespace", "pod", "container", "gpu"},
    "DCGM_FI_DEV_FB_USED": {"namespace", "pod", "container", "gpu"},
}
_PLACEHOLDER = re.compile(r"<<\.LabelMatchers>>")

Labels = dict[str, set[str]]


def live_exposition() -> str:
    """Return the exposition of a service that has answered and refused, so that no metric
    is zero.
    """
    metrics = Metrics(version="1")
    model = ModelMetrics(metrics, name="m", version="1", labels=("a", "b"), engine="e")
    for status in (200, 503):
        metrics.count_request(
            RequestRecord(
                "POST", "/v1/classify", status, 0.01, model="m", version="1", key="k", texts=1
            )
        )
    model.set_served()
    metrics.keys.set_lines(valid=1, invalid=1)
    metrics.reloads.begin("m")
    metrics.reloads.set_meanings({("m", "champion"): "1"})
    metrics.sources.begin("m")
    metrics.feedback.count([("m", "1", True)])
    metrics.monitoring.begin("m", "1", ("label",), accuracy=0.9)
    metrics.monitoring.count_texts("m", "1", 500, right=450.0)
    metrics.monitoring.count_window("m", "1", {"label": True})
    metrics.shadow.begin("m", 0.1)
    shadow = metrics.shadow.pair("m", "1", "2", ("a", "b"))
    shadow.count_lost(1, "dropped")
    shadow.flush()
    for refusal in (*KINDS.values(), *REFUSALS):
        metrics.count_rejection(refusal.slug)
    model.count_scored(("a",), ScoringRecord(1, 0, 0, 0.0, 0.0, 0.0))
    model.count_batch(items=1, tokens=1)
    metrics.flush()
    model.flush()
    return metrics.exposition().decode()


@functools.cache
def exposed() -> dict[str, Labels]:
    """Return every sample of a live exposition: its labels, and the values of each label."""
    found: dict[str, Labels] = {}
    for family in text_string_to_metric_families(live_exposition()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


def of_rules(rendered: Rendered) -> Iterator[tuple[str, str]]:
    """Yield every expression of the rendered resources, with its name."""
    for overlay, resources in rendered.items():
        for resource in resources:
            where = f"{overlay}: {title(resource)}"
            if resource["kind"] == "PrometheusRule":
                for rule in rules([resource]):
                    yield f"{where}: {rule.get('alert') or rule['record']}", rule["expr"]
            elif resource["kind"] == "ScaledObject":
                for trigger in resource["spec"]["triggers"]:
                    if trigger["type"] == "prometheus":
                        yield where, trigger["metadata"]["query"]


def of_adapter(values: Path) -> Iterator[tuple[str, str]]:
    """Yield the adapter's expressions, filled in for a pod."""
    for rule in yaml.safe_load(values.read_text("utf-8"))["rules"]["custom"]:
        name = f"adapter: {rule['name']['as']}"
        yield name, rule["seriesQuery"]
        query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod")
        yield name, _PLACEHOLDER.sub('namespace="valence",pod=~"a|b"', query)


def of_dashboard(dashboard: Path) -> Iterator[tuple[str, str]]:
    """Yield the expressions of panels and annotations, with Grafana's variables filled in."""
    drawn = json.loads(dashboard.read_text("utf-8"))
    for panel in panels(drawn):
        for target in panel.get("targets", ()):
            yield f"dashboard: {panel['title']}", _filled(target["expr"])
    for annotation in drawn["annotations"]["list"]:
        yield f"dashboard: {annotation['name']}", _filled(annotation["target"]["expr"])


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every panel of a dashboard, those of closed rows too, without the rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def _filled(expression: str) -> str:
    for name, span in (("$__rate_interval", "5m"), ("$__range", "6h")):
        expression = expression.replace(name, span)
    return re.sub(r"\$\w+", ".*", expression)


def rules(resources: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield all rules of all PrometheusRules."""
    for resource in resources:
        if resource["kind"] == "PrometheusRule":
            for group in resource["spec"]["groups"]:
                yield from group["rules"]


def findings(expressions: list[tuple[str, str]], recorded: set[str]) -> list[str]:
    """Return expressions that do not parse, and unknown metrics, labels and label values."""
    known = exposed()
    found = []
    for where, text in expressions:
        try:
            parsed = promql_parser.parse(text)
        except ValueError as error:
            found.append(f"{where}: {error}")
            continue
        for selector in _selectors(parsed):
            found += [f"{where}: {finding}" for finding in _unknown(selector, known, recorded)]
    return found


def _unknown(selector: Any, known: dict[str, Labels], recorded: set[str]) -> Iterator[str]:
    name = selector.name
    if name in recorded:
        return
    if name in ELSEWHERE:
        for matcher in selector.matchers.matchers:
            if matcher.name not in ELSEWHERE[name]:
                yield f"{name} has no label {matcher.name}"
        return
    labels = known.get(name)
    if labels is None:
        yield f"the service exposes no {name}"
        return
    for matcher in selector.matchers.matchers:
        if matcher.name in _ADDED:
            continue
        if matcher.name not in labels:
            yield f"{name} has no label {matcher.name}"
        elif matcher.name in ("reason", "stage", "le", "method") and matcher.value != ".*":
            for value in matcher.value.split("|"):
                if value and value not in labels[matcher.name]:
                    yield f"{name} has no {matcher.name}={value!r}"


def _selectors(node: Any) -> Iterator[Any]:
    """Yield every series selector below a node of the syntax tree."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
        return
    for name in ("vector_selector", "expr", "lhs", "rhs", "param"):
        child = getattr(node, name, None)
        if isinstance(child, promql_parser.VectorSelector | promql_parser.Expr):
            yield from _selectors(child)
    for child in getattr(node, "args", None) or ():
        yield from _selectors(child)
