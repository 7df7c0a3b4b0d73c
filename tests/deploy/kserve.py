"""Check an InferenceService against what KServe 0.20 and, in its Knative mode, Knative accept.

KServe publishes no schema in a package registry. The tables hold the fields and the rules of its
resource definition and of its admission webhook, as far as the manifests could use them. The fields
of the pod are those of a Kubernetes pod; :mod:`tests.deploy.schemas` checks them as a pod.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.deploy.rendering import Resource

MODE = "serving.kserve.io/deploymentMode"
CLASS = "serving.kserve.io/autoscalerClass"
# what a predictor has beside the fields of a pod's specification
_FIELDS = {
    "minReplicas": int,
    "maxReplicas": int,
    "scaleTarget": int,
    "scaleMetric": str,
    "scaleMetricType": str,
    "timeout": int,
    "containerConcurrency": int,
    "canaryTrafficPercent": int,
    "labels": dict,
    "annotations": dict,
    "deploymentStrategy": dict,
}
# the metrics that each autoscaler takes as `scaleMetric`; KEDA has `autoScaling` instead
_METRICS = {
    "hpa": {"cpu", "memory"},
    "keda": set(),
    "external": set(),
    "none": set(),
    "knative": {"concurrency", "rps"},
}
# The fields of a pod that Knative takes, unless the cluster has switched on more of them, and the
# fields of a container that it never takes.
_KNATIVE_POD = {
    "serviceAccountName",
    "containers",
    "volumes",
    "imagePullSecrets",
    "enableServiceLinks",
    "automountServiceAccountToken",
    "securityContext",
}
_NOT_KNATIVE_CONTAINER = {"lifecycle", "stdin", "stdinOnce", "tty", "volumeDevices"}


def split(resource: Resource) -> tuple[dict[str, Any], Resource]:
    """Return the fields of the predictor that are KServe's own, and its pod as a Pod."""
    predictor = resource["spec"]["predictor"]
    own = {name: value for name, value in predictor.items() if name in _FIELDS}
    pod = {name: value for name, value in predictor.items() if name not in _FIELDS}
    metadata = {"name": resource["metadata"]["name"]}
    return own, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}


def findings(resource: Resource) -> Iterator[str]:
    """Yield what KServe or Knative would refuse, and what would have no effect."""
    yield from (f"unknown field spec.{name}" for name in resource["spec"].keys() - {"predictor"})
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", resource["metadata"]["name"]):
        yield f"KServe refuses the name {resource['metadata']['name']}"
    own, pod = split(resource)
    for name, value in own.items():
        if type(value) is not _FIELDS[name]:
            yield f"spec.predictor.{name} is no {_FIELDS[name].__name__}"
    if own.get("minReplicas", 1) > (own.get("maxReplicas") or own.get("minReplicas", 1)):
        yield "minReplicas is above maxReplicas"
    annotations = resource["metadata"].get("annotations", {})
    mode = annotations.get(MODE)
    if mode == "Standard":
        yield from _scaling(own, annotations.get(CLASS, "hpa"))
    elif mode in ("Knative", "Serverless"):
        yield from _scaling(own, "knative")
        yield from _knative(own, pod["spec"])
    else:
        yield f"{MODE} is {mode}: the mode would be that of the cluster; name Standard or Knative"


def _scaling(own: dict[str, Any], autoscaler: str) -> Iterator[str]:
    metrics = _METRICS.get(autoscaler)
    if metrics is None:
        yield f"KServe has no autoscaler {autoscaler}"
        return
    metric = own.get("scaleMetric")
    if metric is not None and metric not in metrics:
        yield f"the autoscaler {autoscaler} takes no scaleMetric {metric}"
    if autoscaler == "hpa" and metric != "memory" and not 1 <= own.get("scaleTarget", 80) <= 100:
        yield f"scaleTarget {own['scaleTarget']} is no percentage"


def _knative(own: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    if "deploymentStrategy" in own:
        yield "Knative takes no deploymentStrategy"
    yield from (f"Knative refuses {name}" for name in sorted(pod.keys() - _KNATIVE_POD))
    for container in pod["containers"]:
        refused = sorted(container.keys() & _NOT_KNATIVE_CONTAINER)
        yield from (f"Knative refuses {name} of a container" for name in refused)
        ports = container.get("ports", ())
        if len(ports) > 1:
            yield "Knative refuses a second port"
        if ports and ports[0].get("name", "") not in ("", "http1", "h2c"):
            yield f"Knative refuses the name of the port {ports[0]['name']}"
