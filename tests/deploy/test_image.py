"""The CPU image's parts hold nothing of training, torch, CUDA or compilers; locks are whole."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from tests.deploy.rendering import ROOT
from tests.smoke.contents import unwanted

LOCKS = ROOT / "requirements" / "locks"


def pins(text: str) -> dict[str, str]:
    """Names and versions in the lines of a requirements file or a lock."""
    found = re.findall(r"^([\w.-]+)==([^\s\\]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def locked(lock: str) -> dict[str, str]:
    """Names and versions of a lock."""
    return pins((LOCKS / f"{lock}.txt").read_text("utf-8"))


def required(part: str) -> dict[str, str]:
    """Names and versions of the runtime, of an extra or of a dependency group."""
    if part == "runtime":
        return pins((ROOT / "requirements" / "runtime.txt").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    parts = project["project"]["optional-dependencies"] | project["dependency-groups"]
    return pins("\n".join(parts[part]))


def stages() -> list[str]:
    """The Dockerfile's stages; the last is what the image is."""
    text = (ROOT / "deploy" / "image" / "Dockerfile").read_text("utf-8")
    return re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]


def test_the_cpu_lock_names_nothing_of_training_torch_or_cuda():
    assert unwanted(locked("cpu")) == []


def test_only_the_gpu_lock_adds_torch_with_cuda():
    cpu, gpu = locked("cpu"), locked("gpu")
    assert cpu.items() <= gpu.items()
    assert gpu["torch"] == required("torch")["torch"]
    assert {"torch", "triton", "nvidia-cublas"} <= set(unwanted(gpu))


@pytest.mark.parametrize(
    ("lock", "parts"),
    [
        ("cpu", ["runtime"]),
        ("gpu", ["runtime", "torch"]),
        ("training", ["runtime", "torch", "training"]),
        ("sbom", ["sbom"]),
    ],
)
def test_a_lock_has_what_its_requirements_pin(lock, parts):
    for part in parts:
        assert required(part).items() <= locked(lock).items()


@pytest.mark.parametrize("lock", ["cpu", "gpu", "training", "sbom"])
def test_every_version_of_a_lock_has_its_hashes(lock):
    blocks = re.split(
        r"^(?=[\w.-]+==)", (LOCKS / f"{lock}.txt").read_text("utf-8"), flags=re.MULTILINE
    )
    assert all("--hash=sha256:" in block for block in blocks if block.strip())


def test_the_last_stage_installs_nothing_and_copies_three_things():
    last = stages()[-1]
    assert re.findall(r"\b(?:apt-get|pip|apk|curl|wget)\b", last) == []
    copied = re.findall(r"^COPY --from=build (\S+) ", last, re.MULTILINE)
    assert copied == ["/usr/bin/tini-static", "/opt/venv", "/opt/valence"]
    assert len(re.findall(r"^(?:COPY|ADD) ", last, re.MULTILINE)) == 3


def test_no_stage_installs_a_compiler_or_pip_into_what_is_copied():
    build = stages()[0]
    assert re.findall(r"install --yes --no-install-recommends (.+?) &&", build) == ["tini"]
    assert "venv --without-pip /opt/venv" in build
    assert "--only-binary :all: --require-hashes" in build


def test_training_code_is_in_its_own_stage_alone():
    training = [stage for stage in stages() if "COPY training/" in stage]
    assert [stage.splitlines()[0] for stage in training] == ["${PYTHON} AS training"]
    assert "USER 10001:10001" in training[0]


def test_the_bento_takes_nothing_but_the_service():
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text("utf-8"))
    # tests/service/test_bento.py says what `valence` holds there
    assert [path for path in bento["include"] if not path.startswith("valence/")] == []
