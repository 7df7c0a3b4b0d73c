"""The workflow of a release: what it calls exists, and only what publishes may sign and publish."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WHEELS = PROJECT["tool"]["cibuildwheel"]
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]


def uses(job: str) -> list[str]:
    return [step["uses"].partition("@")[0] for step in JOBS[job]["steps"] if "uses" in step]


def test_what_the_release_calls_exists() -> None:
    commands = "\n".join(step.get("run", "") for step in STEPS)
    targets = {
        word for call in re.findall(r"\bmake ([a-z -]+?)(?= &&|$)", commands, re.MULTILINE)
        for word in call.split()
    }  # fmt: skip
    assert targets == {"unit", "wheel", "clean"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert all(f"\n{target}:" in makefile for target in targets)
    for path in re.findall(r"requirements/\S+", commands):
        assert (ROOT / path).is_file()
    module = re.search(r"python -m (\S+)$", WHEELS["test-command"])[1]
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    assert module.split(".")[0] in WHEELS["test-sources"]


def test_every_action_has_a_version() -> None:
    for step in STEPS:
        if "uses" in step:
            assert re.search(r"@(v\d|release/v\d)", step["uses"])
            assert step["uses"].partition("@")[0] != "actions/checkout" or (
                step["with"]["persist-credentials"] is False
            )


@pytest.mark.parametrize("job", JOBS)
def test_a_job_has_the_permissions_that_it_needs(job: str) -> None:
    assert WORKFLOW["permissions"] == {}
    wanted = {"attestations": {"id-token", "attestations"}, "publication": {"id-token"}}
    allowed = JOBS[job]["permissions"]
    assert {name for name, level in allowed.items() if level == "write"} == wanted.get(job, set())


def test_only_what_was_tested_and_attested_is_published() -> None:
    assert set(JOBS["attestations"]["needs"]) == {"tests", "wheels", "reproduction"}
    assert JOBS["publication"]["needs"] == ["attestations"]
    assert JOBS["publication"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert {"actions/attest-build-provenance", "actions/attest-sbom"} <= set(uses("attestations"))
    for step in JOBS["attestations"]["steps"]:
        if "attest" in step.get("uses", ""):
            assert step["with"]["subject-path"] == "dist/*.whl"


def test_there_is_a_wheel_for_each_system_and_python() -> None:
    runners = {one["runner"] for one in JOBS["wheels"]["strategy"]["matrix"]["include"]}
    assert {re.split(r"-\d", runner)[0] for runner in runners} == {"ubuntu", "macos", "windows"}
    assert "ubuntu-24.04-arm" in runners
    known = re.findall(r":: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert {f"cp{version.replace('.', '')}-*" for version in known} <= set(WHEELS["build"])
    makefile = (ROOT / "Makefile").read_text("utf-8")
    epoch = WHEELS["environment"]["SOURCE_DATE_EPOCH"]
    assert f"wheel: export SOURCE_DATE_EPOCH ?= {epoch}\n" in makefile
