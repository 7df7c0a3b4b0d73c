"""Check custom resources whose types no package registry has, field by field, against small tables.

A table holds the fields that the manifests could use, with their types: a mapping for an object,
a list with one entry for a list, a set for the values of an enumeration. A field that is in no
table is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TARGETS = [{"group": {"gateway.networking.k8s.io"}, "kind": {"Gateway", "HTTPRoute"}, "name": str}]
# apiVersion and kind -> the fields of `spec`
KINDS: dict[tuple[str, str], dict[str, Any]] = {
    # Kubeflow's training operator 1.9. Templates of pods are checked elsewhere.
    ("kubeflow.org/v1", "PyTorchJob"): {
        "nprocPerNode": str,
        "elasticPolicy": {
            "rdzvBackend": str, "rdzvPort": int, "rdzvHost": str, "rdzvId": str,
            "minReplicas": int, "maxReplicas": int, "maxRestarts": int, "standalone": bool,
        },
        "runPolicy": {
            "activeDeadlineSeconds": int, "backoffLimit": int, "cleanPodPolicy": str,
            "ttlSecondsAfterFinished": int, "suspend": bool, "managedBy": str,
        },
        "pytorchReplicaSpecs": {
            role: {"replicas": int, "restartPolicy": str, "template": dict}
            for role in ("Master", "Worker")
        },
    },
    # Envoy Gateway 1.4 to 1.9
    ("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy"): {
        "targetRefs": _TARGETS,
        "requestBuffer": {"limit": str},
        "timeout": {
            "tcp": {"connectTimeout": str},
            "http": {
                "connectionIdleTimeout": str, "maxConnectionDuration": str, "requestTimeout": str,
            },
        },
    },
    # Sigstore's policy-controller 0.13
    ("policy.sigstore.dev/v1beta1", "ClusterImagePolicy"): {
        "images": [{"glob": str}],
        "mode": {"enforce", "warn"},
        "authorities": [
            {
                "name": str,
                "key": {"secretRef": {"name": str, "namespace": str}, "data": str, "kms": str},
                "ctlog": {"url": str, "trustRootRef": str},
                "attestations": [
                    {
                        "name": str,
                        "predicateType": {
                            "custom", "cyclonedx", "link", "slsaprovenance", "spdx", "spdxjson",
                            "vuln",
                        },
                        "policy": {"type": {"cue", "rego"}, "data": str},
                    }
                ],
            }
        ],
    },
}  # fmt: skip


def findings(given: Any, known: Any, where: str = "spec") -> Iterator[str]:
    """Yield each field of ``given`` that the table ``known`` lacks, or that has another type."""
    if isinstance(known, dict):
        if not isinstance(given, dict):
            yield f"{where} is no object"
            return
        for name, value in given.items():
            if name in known:
                yield from findings(value, known[name], f"{where}.{name}")
            else:
                yield f"unknown field {where}.{name}"
    elif isinstance(known, list):
        if not isinstance(given, list) or not given:
            yield f"{where} is no list with entries"
            return
        for number, value in enumerate(given):
            yield from findings(value, known[0], f"{where}[{number}]")
    elif isinstance(known, set):
        if given not in known:
            yield f"{where} is {given}, not one of {', '.join(sorted(known))}"
    elif type(given) is not known:
        yield f"{where} is no {known.__name__}"
