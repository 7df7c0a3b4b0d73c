"""The Helm chart makes what the kustomization makes, refuses wrong values, and tests itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from valence.service.api.application import ROUTES
from valence.service.api.operations.health import ADMIN_ROUTES
from valence.service.settings import PREFIX, Settings
from valence.service.version import VERSION

from tests.deploy import dashboard, network, schemas
from tests.deploy.rendering import ROOT, Resource, named, title
from tests.support.source_servers import serve_handler

helm_python = pytest.importorskip(
    "helm_python", reason="Helm's engine has no wheel for this machine"
)

from tests.deploy import chart  # noqa: E402
from tests.deploy.chart import CHART, PAIRS  # noqa: E402

EVERYTHING: dict[str, Any] = {
    "image": {"digest": "sha256:" + "0" * 64, "pullSecrets": ["registry"]},
    "settings": {"VALENCE_KEEP_ALIVE_SECONDS": "64", "OTEL_SERVICE_NAME": "canary"},
    "secrets": {"testKey": "valence-test-key"},
    "modelSource": "s3://acme/models",
    "affinity": {"nodeAffinity": {}},
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/a"}},
    "gateway": {"route": True},
    "monitoring": {"enabled": True, "dashboard": True, "runbook": "https://docs.acme.org/r.html"},
    "autoscaling": {"source": "adapter"},
    "grpc": True,
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(ROOT / "deploy", tmp_path_factory.mktemp("chart") / "deploy"))


@pytest.mark.integration
@pytest.mark.parametrize("name", PAIRS)
def test_chart_and_kustomization_make_the_same_objects(tree, name):
    pair = PAIRS[name]
    by_chart = chart.by_title(chart.installed(chart.render(chart.values_of(pair))))
    by_kustomize = chart.by_title(chart.kustomized(pair, tree))
    assert by_kustomize.keys() - by_chart.keys() <= chart.LEFT_OUT
    assert by_chart.keys() - by_kustomize.keys() == set()
    for what, resource in by_chart.items():
        assert resource == by_kustomize[what], what


@pytest.mark.parametrize(
    ("file", "before", "after", "what"),
    [
        ("deployment.yaml", "timeoutSeconds: 2", "timeoutSeconds: 3", "Deployment valence"),
        ("service.yaml", "port: 3001", "port: 3002", "Service valence"),
        ("admit-callers.yaml", "port: admin", "port: http", "NetworkPolicy admit-callers"),
        ("deployment.yaml", "- name: tmp\n              mount", "- name: t\n              mount",
         "Deployment valence"),
    ],
)  # fmt: skip
def test_a_difference_is_seen(tree, file, before, after, what, tmp_path):
    spoiled = Path(shutil.copytree(tree / "chart", tmp_path / "chart"))
    path = spoiled / "templates" / file
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")
    good, bad = (chart.by_title(chart.render(chart=folder)) for folder in (CHART, spoiled))
    assert [name for name in good if good[name] != bad[name]] == [what]


@pytest.mark.parametrize("file", [None, *(CHART / "values").iterdir()], ids=str)
def test_helm_lint_finds_nothing(file):
    values = yaml.safe_load(file.read_text("utf-8")) if file else None
    report = helm_python.lint(CHART, values, strict=True, kube_version="v1.32.0")
    assert report["errors"] == []
    # an icon is a picture at an address, which a package index shows
    assert [one["error"] for one in report["messages"]] == ["icon is recommended"]


def test_lint_finds_a_broken_template(tree, tmp_path):
    broken = Path(shutil.copytree(tree / "chart", tmp_path / "chart"))
    (broken / "templates" / "more.yaml").write_text("a: {{ .Values.image.no.such }}\n", "utf-8")
    assert helm_python.lint(broken, strict=True)["errors"] != []


@pytest.mark.parametrize(
    ("values", "named_by"),
    [
        ({"replicaCount": 3}, "replicaCount"),
        ({"image": {"digest": "sha256:1"}}, "digest"),
        ({"settings": {"VALENCE_KEEP_ALIVE_SECONDS": 64}}, "VALENCE_KEEP_ALIVE_SECONDS"),
        ({"settings": {"VALENCE_ADMIN_PORT": "1"}}, "VALENCE_ADMIN_PORT"),
        ({"settings": {"PATH": "/"}}, "PATH"),
        ({"autoscaling": {"source": "hpa"}}, "source"),
        ({"autoscaling": {"target": 0}}, "target"),
        ({"resources": {"limits": {"memory": None}}}, "memory"),
        ({"monitoring": {"runbook": "runbook.html"}}, "runbook"),
        ({"secrets": {"apiKeys": ""}}, "apiKeys"),
        ({"zones": "Always"}, "zones"),
        ({"grpc": "yes"}, "grpc"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values, named_by):
    with pytest.raises(helm_python.errors.HelmError, match=named_by):
        chart.render(values)


def _names(values: Any, schema: Any, path: str = "") -> Iterator[tuple[str, set[str], set[str]]]:
    if isinstance(values, dict) and schema.get("properties"):
        yield path, set(values), set(schema["properties"]) - {"global"}
        for name, value in values.items():
            yield from _names(value, schema["properties"].get(name, {}), f"{path}.{name}")


def test_values_and_their_schema_have_the_same_names():
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    compared = list(_names(values, schema))
    assert len(compared) > 8
    for path, given, known in compared:
        assert given == known, path


def test_every_value_is_used():
    templates = "".join(p.read_text("utf-8") for p in (CHART / "templates").rglob("*.*"))
    for path, given, _ in _names(
        yaml.safe_load((CHART / "values.yaml").read_text("utf-8")),
        json.loads((CHART / "values.schema.json").read_text("utf-8")),
    ):
        # a cluster reads what is deeper
        for name in given if path != ".resources" else ():
            assert re.search(rf"(Values{path}|\$image)\.{name}\b", templates), f"{path}.{name}"


def test_the_settings_of_the_chart_cannot_be_given_twice():
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    refused = set(schema["properties"]["settings"]["propertyNames"]["not"]["enum"])
    resources = chart.render(EVERYTHING) + chart.render({"anonymous": True})
    made = {
        entry["name"]
        for deployment in resources
        if deployment["kind"] == "Deployment"
        for entry in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert made - EVERYTHING["settings"].keys() == refused
    assert {name.removeprefix(PREFIX).lower() for name in refused} <= Settings.model_fields.keys()


def test_the_versions_are_those_of_the_service():
    about = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert (about["version"], about["appVersion"]) == (VERSION, VERSION)


@pytest.mark.integration
@pytest.mark.parametrize("values", [EVERYTHING, {}, {"anonymous": True}], ids=["all", "", "open"])
def test_a_cluster_accepts_every_part(values):
    resources = chart.render(values)
    assert schemas.findings({"chart": resources}) == []
    assert list(network.findings(resources)) == []


def test_alerts_link_to_the_runbook_of_the_values():
    (rule,) = named(chart.render(EVERYTHING), "PrometheusRule").values()
    links = [
        entry["annotations"]["runbook_url"]
        for group in rule["spec"]["groups"]
        for entry in group["rules"]
        if "alert" in entry
    ]
    assert "https://docs.acme.org/r.html#valenceabsent" in links
    assert all(link.startswith("https://docs.acme.org/r.html#valence") for link in links)


def test_the_dashboard_fits_in_a_config_map():
    (made,) = named(chart.render(EVERYTHING), "ConfigMap").values()
    text = (ROOT / "deploy" / "monitoring" / "dashboard.json").read_text("utf-8")
    linked = text.replace(dashboard.RUNBOOK, EVERYTHING["monitoring"]["runbook"])
    assert linked != text
    assert json.loads(made["data"]["valence.json"]) == json.loads(linked)
    assert len(made["data"]["valence.json"]) < 2**20


def test_two_releases_share_a_namespace():
    second = {"serviceAccount": {"create": False}, "networkPolicies": False}
    first = {title(resource) for resource in chart.render()}
    other = {title(resource) for resource in chart.render(second, name="canary")}
    assert first & other == set()
    assert "Deployment canary-valence" in other


def test_a_package_of_the_chart_holds_the_linked_files(tmp_path):
    archive = helm_python.package(CHART, destination=tmp_path)
    assert chart.render(EVERYTHING, chart=Path(archive)) == chart.render(EVERYTHING)


def _pod(resources: list[Resource]) -> Resource:
    (pod,) = named(chart.hooks(resources), "Pod").values()
    return pod


def test_the_pod_of_helm_test_is_as_restricted_as_the_service():
    resources = chart.render(EVERYTHING)
    (deployment,) = named(resources, "Deployment").values()
    pod, serving = _pod(resources)["spec"], deployment["spec"]["template"]["spec"]
    for name in ("securityContext", "automountServiceAccountToken", "imagePullSecrets"):
        assert pod[name] == serving[name]
    for name in ("securityContext", "image"):
        assert pod["containers"][0][name] == serving["containers"][0][name]


def test_policies_let_the_pod_of_helm_test_reach_the_service():
    resources = chart.render()
    policies = named(chart.hooks(resources), "NetworkPolicy")
    labels = _pod(resources)["metadata"]["labels"]
    out = policies["release-test"]["spec"]
    assert out["podSelector"]["matchLabels"].items() <= labels.items()
    (peer,) = out["egress"][-1]["to"]
    admitted = policies["admit-test"]["spec"]
    assert admitted["podSelector"] == peer["podSelector"]
    (rule,) = admitted["ingress"]
    assert rule["from"][0]["podSelector"]["matchLabels"].items() <= labels.items()
    assert rule["ports"] == out["egress"][-1]["ports"] == [{"port": "http"}, {"port": "admin"}]
    (service,) = named(resources, "Service").values()
    # the other pods' policies and Service leave it alone
    assert not service["spec"]["selector"].items() <= labels.items()


def test_helm_test_asks_paths_that_are_served():
    text = (CHART / "files" / "answer.py").read_text("utf-8")
    assert '"/readyz"' in text
    assert "/readyz" in {route.path for route in ADMIN_ROUTES}
    assert '"/v1/classify"' in text
    assert ("POST", "/v1/classify") in {(route.method, route.path) for route in ROUTES}


class Service(BaseHTTPRequestHandler):
    """Is ready, and answers who has the key; or everybody, if there is none."""

    key = ""
    ready = 200

    def do_GET(self) -> None:
        self._answer(self.ready)

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.headers["X-API-Key"] == self.key if self.key else True
        self._answer(200 if sent["text"] and known else 401)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"no")

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("key", "ready", "given", "passes"),
    [
        ("right", 200, {"ANONYMOUS": "false"}, True),
        ("right", 200, {"ANONYMOUS": "false", "KEY": "right"}, True),
        ("", 200, {"ANONYMOUS": "true"}, True),
        ("right", 200, {"ANONYMOUS": "false", "KEY": "wrong"}, False),
        ("right", 503, {"ANONYMOUS": "false"}, False),
        # a release that should want keys answers strangers
        ("", 200, {"ANONYMOUS": "false"}, False),
        ("right", 200, {"ANONYMOUS": "true"}, False),
    ],
)
def test_helm_test_tells_good_releases_from_bad_ones(key, ready, given, passes):
    handler = type("Handler", (Service,), {"key": key, "ready": ready})
    (script,) = [
        argument
        for argument in _pod(chart.render())["spec"]["containers"][0]["args"]
        if "readyz" in argument
    ]
    with serve_handler(handler) as port:
        address = f"http://127.0.0.1:{port}"
        ended = subprocess.run(
            [sys.executable, "-S", "-c", script],
            env={"SERVICE": address, "ADMIN": address, "SECONDS_TO_WAIT": "0", **given},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert (ended.returncode == 0) == passes, ended.stdout + ended.stderr


def test_helm_test_ends_if_nothing_answers():
    address = "http://127.0.0.1:9"
    ended = subprocess.run(
        [sys.executable, "-S", CHART / "files" / "answer.py"],
        env={**os.environ, "ADMIN": address, "SERVICE": address, "ANONYMOUS": "true",
             "SECONDS_TO_WAIT": "0"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode != 0
    assert "no answer within" in ended.stderr
