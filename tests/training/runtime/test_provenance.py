from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import torch
from valence.service.version import VERSION
from valence.training.runtime import provenance


def fake_git(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str] | Exception) -> None:
    """Replace git by a fake that answers by sub-command, or fails."""

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        assert command[:2] == ["git", "-C"]
        assert options == {"capture_output": True, "text": True, "check": True}
        if isinstance(answers, Exception):
            raise answers
        return subprocess.CompletedProcess(command, 0, answers[command[3]], "")

    monkeypatch.setattr(subprocess, "run", run)


@pytest.mark.parametrize(("status", "suffix"), [("", ""), (" M service/app.py\n", "+changes")])
def test_the_code_is_named_by_its_commit_and_changes(
    monkeypatch: pytest.MonkeyPatch, status: str, suffix: str
) -> None:
    fake_git(monkeypatch, {"rev-parse": "abc123\n", "status": status})
    assert provenance.code_version() == f"{VERSION} abc123{suffix}"


@pytest.mark.parametrize(
    "failure", [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git")]
)
def test_outside_a_checkout_the_code_is_named_by_its_version(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    fake_git(monkeypatch, failure)
    assert provenance.code_version() == VERSION


def test_packages_are_named_with_their_versions() -> None:
    found = provenance.packages()
    assert found["torch"] == torch.__version__
    assert re.fullmatch(r"3\.\d+\.\d+\S*", found["python"])
    assert {"torchtext", "numpy", "safetensors", "bentoml"} <= found.keys()


def test_hardware_names_the_processor_and_the_threads_used() -> None:
    found = provenance.hardware(torch.device("cpu"))
    assert re.fullmatch(rf".+, {torch.get_num_threads()} of \d+ threads", found)


def test_the_hardware_names_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert provenance.hardware(torch.device("cuda:1")) == "GPU 1"


def test_a_system_without_cpuinfo_still_has_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, **options: object) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", fail)
    assert provenance._processor()


def test_peak_memory_is_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = provenance.peak_memory_bytes()
    assert 2**26 < found < 2**40  # torch alone takes more than 64 MiB
    # macOS counts in bytes, Linux in KiB
    monkeypatch.setattr(provenance.sys, "platform", "darwin")
    assert provenance.peak_memory_bytes() * 1024 >= found
