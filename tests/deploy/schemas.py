"""Check that every field of every resource exists and has its type; unknown fields are refused.

Kubernetes' own kinds are checked against its schemas of the oldest and the newest supported
version. Custom resources are checked as TypeScript literals against types generated from their
schemas, which refuse additional fields, or against the tables of :mod:`tests.deploy.fields` and
:mod:`tests.deploy.kserve`. A kind without a validator is a finding.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate

from tests.deploy import fields, kserve
from tests.deploy.rendering import ROOT, Rendered, Resource, title

VERSIONS = ("1.32", "1.37")
TYPES = Path(os.environ.get("VALENCE_SCHEMAS", ROOT / ".venv" / "schemas")) / "node_modules"
# apiVersion and kind -> place of the type
CUSTOM = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): "prometheus-operator",
    ("monitoring.coreos.com/v1", "PrometheusRule"): "prometheus-operator",
    ("keda.sh/v1alpha1", "ScaledObject"): "keda",
    ("gateway.networking.k8s.io/v1", "Gateway"): "gateway-api",
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): "gateway-api",
}


def custom_types_installed() -> bool:
    """Return whether npm has installed the types and the compiler for ``make manifests``."""
    return (TYPES / ".bin" / "tsc").exists()


def uncovered(rendered: Rendered) -> list[str]:
    """Return the custom resources that cannot be checked because their types are not installed."""
    kinds = {
        (resource["apiVersion"], resource["kind"])
        for resources in rendered.values()
        for resource in resources
    }
    return [
        f"no validator covers {'/'.join(identity)}: its types come with npm, which is not here"
        for identity in sorted(kinds & CUSTOM.keys())
    ]


def findings(rendered: Rendered) -> list[str]:
    """Return what the API server of some version would refuse, and what has no validator."""
    return [
        f"{overlay}: {title(resource)}: {finding}"
        for overlay, resources in rendered.items()
        for resource in resources
        for finding in _findings(resource)
    ]


def _findings(resource: Resource) -> Iterator[str]:
    identity = (resource["apiVersion"], resource["kind"])
    if identity in CUSTOM:
        return
    if identity == ("serving.kserve.io/v1beta1", "InferenceService"):
        yield from kserve.findings(resource)
        yield from _findings(kserve.split(resource)[1])
        return
    if identity in fields.KINDS:
        yield from fields.findings(resource["spec"], fields.KINDS[identity])
        if resource["kind"] == "PyTorchJob":
            yield from _pytorch_templates(resource["spec"])
        return
    yield from _of_kubernetes(json.dumps(resource))


@functools.cache
def _of_kubernetes(text: str) -> tuple[str, ...]:
    """Cache the results: reading the schemas takes most of the time, and many resources are
    equal.
    """
    resource = json.loads(text)
    identity = (resource["apiVersion"], resource["kind"])
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(resource, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            return (f"no validator covers {'/'.join(identity)}",)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(map(str, error.path))
            found.append(f"Kubernetes {version}: {where}: {error.message.splitlines()[0]}")
    return tuple(found)


def _pytorch_templates(spec: dict[str, Any]) -> Iterator[str]:
    replicas = spec.get("pytorchReplicaSpecs", {})
    if not replicas:
        yield "spec.pytorchReplicaSpecs is missing"
    for made in replicas.values():
        template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "any"}}
        yield from _findings({**template, "template": made.get("template")})


def custom_findings(rendered: Rendered, workplace: Path) -> list[str]:
    """Return what the schemas of the custom resources refuse; the compiler runs once for all."""
    named: dict[str, str] = {}
    for overlay, resources in rendered.items():
        for number, resource in enumerate(resources):
            package = CUSTOM.get((resource["apiVersion"], resource["kind"]))
            if package is not None:
                file = f"{overlay}-{number}.ts"
                named[file] = f"{overlay}: {title(resource)}"
                (workplace / file).write_text(_literal(package, resource), "utf-8")
    (workplace / "node_modules").symlink_to(TYPES)
    compiled = subprocess.run(
        [TYPES / ".bin" / "tsc", "--noEmit", "--strict", "--skipLibCheck", "--pretty", "false",
         "--module", "nodenext", "--target", "es2022", *named],
        cwd=workplace, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = [
        f"{named[line.partition('(')[0]]}: {line.partition(': ')[2]}"
        for line in compiled.stdout.splitlines()
        if line.partition("(")[0] in named
    ]
    if compiled.returncode and not found:
        raise RuntimeError(f"the TypeScript compiler failed: {compiled.stdout}{compiled.stderr}")
    return found


def _literal(package: str, resource: dict[str, Any]) -> str:
    kind, group = resource["kind"], resource["apiVersion"]
    module = f"@kubernetes-models/{package}/{group}/{kind}"
    return (
        f'import type {{ I{kind} }} from "{module}";\n'
        f"export const resource: I{kind} = {json.dumps(resource)};\n"
    )
