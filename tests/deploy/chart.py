"""The Helm chart as a cluster gets it, rendered by Helm's own engine, beside the kustomization."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import helm_python
import yaml

from tests.deploy.rendering import ROOT, Resource, kustomize, title

CHART = ROOT / "deploy" / "chart"
Values = dict[str, Any]


class Pair(NamedTuple):
    """An installation by kustomize, and the values of the chart for the same one."""

    resources: str
    components: tuple[str, ...] = ()
    file: str = ""
    values: Values | None = None


# a part of the kustomization that the chart has too is in one of these
PAIRS = {
    "base": Pair("base"),
    "dev": Pair("overlays/dev", file="dev"),
    "production": Pair("overlays/production", file="production"),
    "gpu": Pair("overlays/gpu", file="gpu"),
    "keda": Pair("base", ("autoscaling-keda",), values={"autoscaling": {"source": "keda"}}),
    "grpc": Pair("base", ("grpc",), values={"grpc": True}),
    "route": Pair("base", ("route",), values={"gateway": {"route": True}}),
    "source": Pair(
        "base",
        ("model-from-store",),
        values={"modelSource": "s3://valence-models/production", "image": {"variant": "store"}},
    ),
}
# `helm install` needs the namespace before the chart; `valence rollback --source` runs anywhere
LEFT_OUT = {"Namespace valence", "CronJob valence-rollback"}
_HOOK = "helm.sh/hook"


def render(
    values: Values | None = None, *, chart: Path = CHART, name: str = "valence"
) -> list[Resource]:
    """Return what ``helm template NAME --namespace valence`` prints, without the notes.

    Raises :class:`helm_python.errors.HelmError` as Helm does, for values that the schema refuses.
    """
    with helm_python.Chart.load(chart) as loaded:
        loaded.validate_schema(values or {})
        texts = loaded.render(values or {}, name=name, namespace="valence")
    return [
        resource
        for file, text in sorted(texts.items())
        if not file.endswith("NOTES.txt")
        for resource in yaml.load_all(text, Loader=yaml.CSafeLoader)
        if resource
    ]


def values_of(pair: Pair) -> Values:
    """Return the values of an installation by the chart."""
    if not pair.file:
        return pair.values or {}
    text = (CHART / "values" / f"{pair.file}.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def kustomized(pair: Pair, tree: Path) -> list[Resource]:
    """Return what kustomize makes; ``tree`` is a copy of ``deploy/`` that gets a folder more."""
    folder = tree / "overlays" / "beside-the-chart"
    folder.mkdir(exist_ok=True)
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"../../{pair.resources}"],
        "components": [f"../../components/{component}" for component in pair.components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content), "utf-8")
    return kustomize(folder)


def installed(resources: list[Resource]) -> list[Resource]:
    """Return the resources that an installation makes: not those of ``helm test``."""
    return [r for r in resources if _HOOK not in r["metadata"].get("annotations", {})]


def hooks(resources: list[Resource]) -> list[Resource]:
    """Return the resources that ``helm test`` makes."""
    return [r for r in resources if _HOOK in r["metadata"].get("annotations", {})]


def by_title(resources: list[Resource]) -> dict[str, Resource]:
    """Return the resources by kind and name, with lists whose order has no meaning in one order."""
    return {title(resource): _ordered(resource) for resource in resources}


def _ordered(value: Any) -> Any:
    """Sort lists of things that have a name; kustomize puts what a patch adds in front."""
    if isinstance(value, dict):
        return {key: _ordered(entry) for key, entry in value.items()}
    if isinstance(value, list):
        entries = [_ordered(entry) for entry in value]
        if all(isinstance(entry, dict) and "name" in entry for entry in entries):
            return sorted(entries, key=lambda entry: str(entry["name"]))
        if all(isinstance(entry, dict) and "mountPath" in entry for entry in entries):
            return sorted(entries, key=lambda entry: str(entry["mountPath"]))
        return entries
    return value
