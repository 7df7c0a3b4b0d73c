"""A cluster accepts the manifests, they agree with the code, and mistakes are found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import agreement, checks, schemas
from tests.deploy.mistakes import CUSTOM_MISTAKES, MISTAKES
from tests.deploy.rendering import ROOT, kustomize, named, pods, render, training_pods

pytestmark = pytest.mark.integration

types_of_custom_resources = pytest.mark.skipif(
    not schemas.custom_types_installed(),
    reason="the types of the custom resources are not installed; `make manifests` does it",
)


def test_oldest_and_newest_kubernetes_know_every_field(rendered):
    assert schemas.findings(rendered) == []


@types_of_custom_resources
def test_every_field_of_custom_resources_is_known(rendered, tmp_path):
    assert schemas.custom_findings(rendered, tmp_path) == []


def test_expressions_use_only_exposed_metrics(rendered):
    assert checks.of_expressions(ROOT, rendered) == []


def test_manifests_image_rules_and_code_agree(rendered):
    assert agreement.findings(rendered, ROOT) == []


def test_a_custom_kind_without_a_validator_is_a_finding(
    rendered, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(schemas, "TYPES", tmp_path)
    (tmp_path / "empty").mkdir()
    found = checks.findings(ROOT, tmp_path / "empty", custom=True)
    custom = {
        f"{resource['apiVersion']}/{resource['kind']}"
        for resources in rendered.values()
        for resource in resources
        if (resource["apiVersion"], resource["kind"]) in schemas.CUSTOM
    }
    assert len(custom) == len(schemas.CUSTOM)
    assert {re.findall(r"no validator covers (\S+):", finding)[0] for finding in found} == custom


def test_an_unknown_custom_kind_is_a_finding():
    strange = {"apiVersion": "example.org/v1", "kind": "Strange", "metadata": {"name": "any"}}
    assert schemas.findings({"base": [strange]}) == [
        "base: Strange any: no validator covers example.org/v1/Strange"
    ]


def test_every_manifest_file_holds_one_kind():
    for path in (ROOT / "deploy").rglob("*.yaml"):
        assert len(re.findall(r"^kind:", path.read_text("utf-8"), re.MULTILINE)) <= 1, path


@pytest.mark.parametrize("overlay", ["production", "gpu", "other-components", "kserve"])
def test_every_overlay_except_dev_requires_keys(rendered, overlay):
    for pod in pods(rendered[overlay]).values():
        names = {entry["name"] for entry in pod["containers"][0]["env"]}
        assert "VALENCE_API_KEYS_FILE" in names
        assert "VALENCE_ALLOW_ANONYMOUS" not in names


def _unlabelled(value: Any) -> Any:
    """Return resources without labels, selectors, annotations and names."""
    if isinstance(value, dict):
        named_only = {"labels", "matchLabels", "selector", "annotations", "name", "namespace"}
        return {k: _unlabelled(v) for k, v in value.items() if k not in named_only}
    if isinstance(value, list):
        return [_unlabelled(entry) for entry in value]
    return value


def test_overlays_differ_in_more_than_labels(rendered):
    without = {overlay: _unlabelled(resources) for overlay, resources in rendered.items()}
    for one, other in combinations(without, 2):
        assert without[one] != without[other], (one, other)
    kinds = ("Deployment", "CronJob", "Job", "PyTorchJob")
    for overlay, resources in rendered.items():
        made = [_unlabelled(r["spec"]) for r in resources if r["kind"] in kinds]
        assert all(one != other for one, other in combinations(made, 2)), overlay
    (dev, production, gpu) = (
        pods(rendered[overlay])["Deployment valence"] for overlay in ("dev", "production", "gpu")
    )
    assert all(
        _unlabelled(one) != _unlabelled(other)
        for one, other in combinations((dev, production, gpu), 2)
    )


@pytest.mark.parametrize(
    "component", sorted(path.name for path in (ROOT / "deploy" / "components").iterdir())
)
def test_a_component_changes_more_than_labels(component, tmp_path):
    deploy = tmp_path / "deploy"
    shutil.copytree(ROOT / "deploy", deploy)
    made = []
    for number, components in enumerate(([], [component])):
        folder = deploy / "overlays" / f"tried-{number}"
        folder.mkdir()
        # the other components change what these two add
        needed = {"champion": "workspace"}.get(component)
        parts = [name for name in (needed, *components) if name]
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["../../base"],
            "components": [f"../../components/{name}" for name in parts],
        }
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(content), "utf-8")
        made.append(_unlabelled(kustomize(folder)))
    assert made[0] != made[1]


def test_memory_of_production_follows_from_the_measured_peak(rendered):
    pages = (ROOT / "docs" / "measured" / "benchmarks").glob("*.md")
    measured = r"peak memory of serving \| [^|]+ \| (\d+) MiB"
    peak = max(int(found) for page in pages for found in re.findall(measured, page.read_text()))
    resources = pods(rendered["production"])["Deployment valence"]["containers"][0]["resources"]
    requested, limit = (
        int(resources[kind]["memory"].removesuffix("Mi")) for kind in ("requests", "limits")
    )
    assert requested >= 1.2 * peak
    assert limit >= 2 * peak


def test_the_memory_limit_holds_the_worst_requests_and_a_quarter(rendered):
    page = (ROOT / "docs" / "measured" / "faults.md").read_text("utf-8")
    worst = page.partition("<!-- worst -->")[2].partition("<!-- /worst -->")[0]
    (alone,) = re.findall(r"takes at most (\d+) MiB", worst)
    (together,) = re.findall(r"(\d+) MiB; probes", worst)
    for overlay in ("dev", "production"):
        (container,) = pods(rendered[overlay])["Deployment valence"]["containers"]
        limit = int(container["resources"]["limits"]["memory"].removesuffix("Mi"))
        assert max(int(alone), int(together)) <= 0.75 * limit


def test_memory_of_the_job_follows_from_the_measured_peak(rendered):
    page = (ROOT / "docs" / "operations" / "kubernetes.md").read_text("utf-8")
    (said,) = re.findall(r"memory of training .*?\| ([\d,]+) MiB", page)
    peak = int(said.replace(",", ""))
    made = training_pods(rendered["training-components"])
    assert len(made) == 3
    for template in made.values():
        resources = template["spec"]["containers"][0]["resources"]
        requested, limit = (
            int(resources[kind]["memory"].removesuffix("Mi")) for kind in ("requests", "limits")
        )
        assert requested >= 1.2 * peak
        assert limit >= 2 * peak


def test_the_namespace_enforces_the_restricted_standard(rendered):
    for overlay in ("dev", "production", "gpu"):
        (namespace,) = named(rendered[overlay], "Namespace").values()
        labels = namespace["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_network_policy_denies_by_default(rendered):
    policies = named(rendered["production"], "NetworkPolicy")
    denied = policies["deny-all"]["spec"]
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    clients, scrapers = policies["admit-callers"]["spec"]["ingress"]
    for rule, port in ((clients, "http"), (scrapers, "admin")):
        assert all(peer["namespaceSelector"]["matchLabels"] for peer in rule["from"])
        assert rule["ports"] == [{"port": port}]


def _linted(dockerfile: Path) -> list[str]:
    hadolint = Path(sys.executable).parent / "hadolint"
    linted = subprocess.run([hadolint, dockerfile], capture_output=True, text=True, check=False)
    assert linted.returncode == bool(linted.stdout), linted.stderr
    return linted.stdout.splitlines()


def test_hadolint_finds_no_fault():
    assert _linted(ROOT / "deploy" / "image" / "Dockerfile") == []


def test_hadolint_checks_every_stage(tmp_path):
    text = (ROOT / "deploy" / "image" / "Dockerfile").read_text("utf-8")
    stages = text.count("\nFROM ")
    spoiled = tmp_path / "Dockerfile"
    spoiled.write_text(re.sub(r"(\nFROM .*)", r"\1\nRUN cd /tmp", text), "utf-8")
    assert len([line for line in _linted(spoiled) if "DL3003" in line]) == stages == 3


def test_every_skipped_rule_of_hadolint_has_a_reason():
    lines = (ROOT / "deploy" / "image" / "Dockerfile").read_text("utf-8").splitlines()
    ignored = [number for number, line in enumerate(lines) if "hadolint ignore" in line]
    assert len(ignored) == 1
    assert all(re.match(r"# (?!hadolint)\w", lines[number - 1]) for number in ignored)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(plant, tmp_path, mistake):
    file, before, after, named_by = MISTAKES[mistake]
    workplace = tmp_path / "workplace"
    workplace.mkdir()
    root = plant(file, before, after)
    found = checks.findings(root, workplace, custom=False)
    assert any(named_by in finding for finding in found), found


@types_of_custom_resources
def test_mistakes_in_custom_resources_are_found(plant, tmp_path):
    for file, before, after, _ in CUSTOM_MISTAKES:
        root = plant(file, before, after)
    found = schemas.custom_findings(render(root / "deploy", tmp_path / "workplace"), tmp_path)
    for *_, named_by in CUSTOM_MISTAKES:
        assert any(named_by in finding for finding in found), found
