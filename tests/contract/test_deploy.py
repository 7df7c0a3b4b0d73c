"""The manifests say what the code does: paths, ports, times, identities."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from service.api.application import ROUTES
from service.settings import Settings

BASE = Path(__file__).parents[2] / "deploy" / "base"


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((BASE / name).read_text("utf-8"))


@pytest.fixture
def pod() -> dict[str, Any]:
    return read("deployment.yaml")["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    return only


def test_kustomization_lists_every_manifest():
    listed = read("kustomization.yaml")["resources"]
    assert sorted(listed) == sorted(
        path.name for path in BASE.iterdir() if path.name != "kustomization.yaml"
    )


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_ask_paths_that_are_served_by_the_port_that_is_named(container, probe):
    get = container[probe]["httpGet"]
    assert get["path"] in {route.path for route in ROUTES if route.method == "GET"}
    assert get["port"] in {port["name"] for port in container["ports"]}


def test_a_starting_process_is_not_killed_and_a_draining_one_gets_no_traffic(container):
    assert container["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_the_service_leads_to_the_container_and_to_its_metrics(container):
    service = read("service.yaml")
    (port,) = service["spec"]["ports"]
    (container_port,) = container["ports"]
    assert port["targetPort"] == container_port["name"]
    annotations = service["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] in {route.path for route in ROUTES}
    # BentoML's default port
    assert annotations["prometheus.io/port"] == str(container_port["containerPort"]) == "3000"


def test_termination_waits_for_the_longest_request(pod, container):
    _, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    longest = Settings.model_fields["request_timeout_seconds"].metadata
    most = max(bound.le for bound in longest if hasattr(bound, "le"))
    assert pod["terminationGracePeriodSeconds"] > int(seconds) + most


def test_the_pod_meets_the_restricted_security_standard(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] >= 10000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["automountServiceAccountToken"] is False


def test_what_the_service_writes_is_writable(pod, container):
    (home,) = (entry["value"] for entry in container["env"] if entry["name"] == "BENTOML_HOME")
    assert {home, "/tmp"} <= {mount["mountPath"] for mount in container["volumeMounts"]}
    names = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == names


def test_every_valence_variable_is_a_setting(container):
    given = {entry["name"]: entry.get("value", "") for entry in container["env"]}
    Settings.from_environment(given)
