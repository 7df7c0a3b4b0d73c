"""Compose reads its file, only this machine reaches what it starts, and the parts fit together."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from valence.service.api.operations.health import ADMIN_ROUTES
from valence.service.settings import PREFIX, Settings
from valence.service.version import VERSION

from tests.deploy import expressions, prometheus
from tests.deploy.rendering import ROOT

FOLDER = ROOT / "deploy" / "compose"
COMPOSE = Path(sys.executable).parent / "docker-compose"


def config(*files: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Return how Compose understands its file."""
    if not COMPOSE.exists():
        pytest.skip("Compose has no wheel for this machine")
    named = [part for file in files for part in ("--file", str(file))]
    return subprocess.run(
        [COMPOSE, *named, "config", "--format", "json"],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **variables},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    read = config(FOLDER / "compose.yaml")
    assert read.returncode == 0, read.stderr
    assert read.stderr == ""
    return dict(json.loads(read.stdout)["services"])


def _mounts(service: dict[str, Any]) -> dict[str, Path]:
    return {
        one["target"]: Path(one["source"])
        for one in service.get("volumes", ())
        if one["type"] == "bind"
    }


def test_compose_refuses_a_word_that_it_does_not_know(tmp_path):
    text = (FOLDER / "compose.yaml").read_text("utf-8")
    spoiled = tmp_path / "compose.yaml"
    spoiled.write_text(text.replace("mem_limit", "memory_limit"), "utf-8")
    read = config(spoiled)
    assert read.returncode != 0
    assert "memory_limit" in read.stderr


def test_only_this_machine_reaches_the_ports(services):
    ports = [port for service in services.values() for port in service["ports"]]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert len({port["published"] for port in ports}) == len(services) == 3


def test_images_and_ports_can_be_changed():
    changed = {
        "VALENCE_IMAGE": "registry.example.com/valence:2",
        "PROMETHEUS_IMAGE": "p:1",
        "GRAFANA_IMAGE": "g:1",
        "VALENCE_PORT": "8000",
        "PROMETHEUS_PORT": "8001",
        "GRAFANA_PORT": "8002",
    }
    read = json.loads(config(FOLDER / "compose.yaml", **changed).stdout)["services"]
    made = [one["image"] for one in read.values()]
    made += [one["ports"][0]["published"] for one in read.values()]
    assert sorted(made) == sorted(changed.values())


def test_containers_are_confined_and_checked(services):
    for service in services.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["healthcheck"]["test"][0] == "CMD"
    waits = {
        name: {other: one["condition"] for other, one in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    assert waits == {
        "valence": {},
        "prometheus": {"valence": "service_healthy"},
        "grafana": {"prometheus": "service_healthy"},
    }


def test_the_service_starts_with_these_settings(services):
    service = services["valence"]
    assert service["image"] == f"valence:{VERSION}"
    given = Settings.from_environment(
        {name: value for name, value in service["environment"].items() if name.startswith(PREFIX)}
    )
    assert given.allow_anonymous
    assert not given.api_keys_file
    (probe,) = re.findall(
        r"http://127\.0\.0\.1:(\d+)(/\w+)", " ".join(service["healthcheck"]["test"])
    )
    assert int(probe[0]) == given.admin_port
    assert probe[1] in {route.path for route in ADMIN_ROUTES}
    dockerfile = (ROOT / "deploy" / "image" / "Dockerfile").read_text("utf-8")
    assert f"EXPOSE {service['ports'][0]['target']}" in dockerfile


def test_memory_and_grace_are_those_of_the_cluster(services):
    text = (ROOT / "deploy" / "base" / "release" / "deployment.yaml").read_text("utf-8")
    pod = yaml.safe_load(text)["spec"]["template"]["spec"]
    limit = pod["containers"][0]["resources"]["limits"]["memory"]
    assert int(services["valence"]["mem_limit"]) == int(limit.removesuffix("Mi")) * 2**20
    grace = pod["terminationGracePeriodSeconds"]
    assert services["valence"]["stop_grace_period"] == f"{grace // 60}m{grace % 60}s"


def test_every_mounted_file_exists(services):
    mounts = [path for service in services.values() for path in _mounts(service).values()]
    assert len(mounts) == 5
    assert all(path.is_file() for path in mounts)


def test_prometheus_scrapes_what_the_rules_select(services):
    read = yaml.safe_load((FOLDER / "prometheus.yaml").read_text("utf-8"))
    (job,) = read["scrape_configs"]
    (target,) = job["static_configs"]
    host, _, port = target["targets"][0].partition(":")
    assert job["job_name"] == "valence"
    assert port == services[host]["environment"]["VALENCE_ADMIN_PORT"]
    assert target["labels"].keys() == {"namespace", "service", "pod"}
    # the folder of the configuration is where its rules are looked for
    mounts = _mounts(services["prometheus"])
    (rules,) = read["rule_files"]
    assert mounts[f"/etc/prometheus/{rules}"] == prometheus.FILE


def test_the_rules_without_operator_are_those_with_it():
    assert prometheus.FILE.read_text("utf-8") == prometheus.text(), (
        "rewrite them: python -m tests.deploy.prometheus"
    )
    resource = yaml.safe_load(prometheus.SOURCE.read_text("utf-8"))
    written = yaml.safe_load(prometheus.FILE.read_text("utf-8"))
    assert written == resource["spec"]
    assert len(list(expressions.rules([resource]))) > 30


def test_grafana_finds_its_source_and_its_dashboard(services):
    mounts = _mounts(services["grafana"])
    provisioning = "/etc/grafana/provisioning"
    source = yaml.safe_load(mounts[f"{provisioning}/datasources/valence.yaml"].read_text("utf-8"))
    (one,) = source["datasources"]
    assert one["url"] == f"http://prometheus:{services['prometheus']['ports'][0]['target']}"
    scraped = yaml.safe_load((FOLDER / "prometheus.yaml").read_text("utf-8"))["global"]
    assert one["jsonData"]["timeInterval"] == scraped["scrape_interval"]
    provided = yaml.safe_load(mounts[f"{provisioning}/dashboards/valence.yaml"].read_text("utf-8"))
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(provided["providers"][0]["options"]["path"])
    assert json.loads(mounts[home].read_text("utf-8"))["uid"] == "valence"


def test_the_example_that_opens_the_service_wants_keys(tmp_path):
    page = (ROOT / "docs" / "operations" / "compose.md").read_text("utf-8")
    example = page.partition("<!-- compose -->")[2].partition("<!-- /compose -->")[0]
    mine = tmp_path / "mine.yaml"
    mine.write_text(example.strip().removeprefix("```yaml\n").removesuffix("```"), "utf-8")
    read = config(FOLDER / "compose.yaml", mine)
    assert read.returncode == 0, read.stderr
    services = json.loads(read.stdout)["services"]
    (port,) = services["valence"]["ports"]
    assert "host_ip" not in port
    given = services["valence"]["environment"]
    assert given["VALENCE_ALLOW_ANONYMOUS"] == "false"
    assert given["VALENCE_API_KEYS_FILE"] in _mounts(services["valence"])
    mounts = _mounts(services["prometheus"])
    assert mounts["/etc/prometheus/prometheus.yml"] == FOLDER / "mine" / "prometheus.yaml"
    assert {"/etc/prometheus/rules.yaml", "/etc/prometheus/metrics-key"} <= mounts.keys()


@pytest.mark.integration
def test_prometheus_accepts_its_configuration(services, tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    for target, source in _mounts(services["prometheus"]).items():
        shutil.copy(source, tmp_path / Path(target).name)
    checked = subprocess.run(
        [promtool, "check", "config", tmp_path / "prometheus.yml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 rule files found" in checked.stdout
