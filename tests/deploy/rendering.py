"""The manifests as a cluster gets them: every overlay, every component, and KServe's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
# components outside all overlays; they are rendered too, each group on a folder of deploy/
_OVERLAYS = {
    "other-components": ("base", ("autoscaling-keda", "canary", "gateway", "signature")),
    "training-components": (
        "base",
        ("workspace", "retrain", "training", "training-kubeflow", "champion"),
    ),
    "rollback": ("base", ("workspace", "champion", "rollback")),
    "model-from-store": ("base", ("monitoring", "model-from-store")),
    "grpc": ("base", ("grpc",)),
    "kserve-from-store": ("kserve", ("model-from-store",)),
}

Resource = dict[str, Any]
Rendered = dict[str, list[Resource]]


def render(deploy: Path, workplace: Path) -> Rendered:
    """Return the output of ``kubectl kustomize`` for each overlay, by name.

    ``workplace`` gets a copy of ``deploy``. Raises :class:`subprocess.CalledProcessError`.
    """
    tree = workplace / "deploy"
    shutil.copytree(deploy, tree)
    for name, (resources, components) in _OVERLAYS.items():
        others = tree / "overlays" / name
        others.mkdir()
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"../../{resources}"],
            "components": [f"../../components/{component}" for component in components],
        }
        (others / "kustomization.yaml").write_text(
            yaml.safe_dump(content, sort_keys=False), "utf-8"
        )
    folders = [*sorted((tree / "overlays").iterdir()), tree / "kserve"]
    return {folder.name: kustomize(folder) for folder in folders}


def kustomize(folder: Path) -> list[Resource]:
    """Return the output of ``kubectl kustomize`` for a folder."""
    text = subprocess.run(
        [KUBECTL, "kustomize", folder], check=True, capture_output=True, text=True
    ).stdout
    # libyaml's parser is ten times as fast as the one in Python
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def named(resources: list[Resource], kind: str) -> dict[str, Resource]:
    """Return the resources of one kind, by name."""
    return {r["metadata"]["name"]: r for r in resources if r["kind"] == kind}


def title(resource: Resource) -> str:
    """Return the name of a resource in findings."""
    return f"{resource['kind']} {resource['metadata']['name']}"


def serving_pods(resources: list[Resource]) -> dict[str, Resource]:
    """Return the template of every serving pod, by the resource that creates it."""
    found = {}
    for resource in resources:
        if resource["kind"] == "Deployment":
            found[title(resource)] = resource["spec"]["template"]
        elif resource["kind"] == "InferenceService":
            predictor = resource["spec"]["predictor"]
            # KServe gives the pods these labels and some of its own
            found[title(resource)] = {
                "metadata": {"labels": predictor.get("labels", {})},
                "spec": predictor,
            }
    return found


def pods(resources: list[Resource]) -> dict[str, Resource]:
    """Return the specification of every serving pod, by the resource that creates it."""
    return {where: template["spec"] for where, template in serving_pods(resources).items()}


def training_pods(resources: list[Resource]) -> dict[str, Resource]:
    """Return the template of every training pod, by the resource that creates it."""
    found = {}
    for resource in resources:
        spec = resource.get("spec", {})
        if resource["kind"] == "Job":
            found[title(resource)] = spec["template"]
        elif resource["kind"] == "CronJob":
            found[title(resource)] = spec["jobTemplate"]["spec"]["template"]
        elif resource["kind"] == "PyTorchJob":
            for replicas in spec["pytorchReplicaSpecs"].values():
                found[title(resource)] = replicas["template"]
    return found
