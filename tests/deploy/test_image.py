"""The CPU image has neither training code, torch, CUDA nor compilers, and the locks are
complete.
"""

from __future__ import annotations

import http.server
import json
import re
import runpy
import subprocess
import sys
import threading
import tomllib

import pytest
import yaml

from tests.deploy.rendering import ROOT
from tests.trials.smoke.contents import unwanted

LOCKS = ROOT / "requirements" / "locks"


def pins(text: str) -> dict[str, str]:
    """Return names and versions in the lines of a requirements file or a lock."""
    found = re.findall(r"^([\w.-]+)==([^\s\\]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def locked(lock: str) -> dict[str, str]:
    """Return names and versions of a lock."""
    return pins((LOCKS / f"{lock}.txt").read_text("utf-8"))


def required(part: str) -> dict[str, str]:
    """Return names and versions of the runtime, of an extra or of a dependency group."""
    if part == "runtime":
        return pins((ROOT / "requirements" / "runtime.txt").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    parts = project["project"]["optional-dependencies"] | project["dependency-groups"]
    return pins("\n".join(parts[part]))


def stages() -> list[str]:
    """Return the stages of the Dockerfile; the last one becomes the image."""
    text = (ROOT / "deploy" / "image" / "Dockerfile").read_text("utf-8")
    return re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]


def test_the_cpu_lock_has_no_training_torch_or_cuda_packages():
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
        ("store", ["runtime", "store"]),
        ("feedback", ["runtime", "feedback"]),
        ("training", ["serve", "torch", "score", "train", "store"]),
        ("sbom", ["sbom"]),
    ],
)
def test_a_lock_holds_the_pins_of_its_requirements(lock, parts):
    for part in parts:
        assert required(part).items() <= locked(lock).items()


def test_only_the_store_lock_adds_sources_of_models():
    cpu, store = locked("cpu"), locked("store")
    assert cpu.items() <= store.items()
    assert not {"s3fs", "gcsfs", "oras", "botocore", "grpcio"} & cpu.keys()
    assert unwanted(store) == []


def test_the_extra_serve_is_the_runtime_and_the_command_line():
    """A bento and the image have the runtime; pip reads the extra."""
    lines = (ROOT / "requirements" / "runtime.txt").read_text("utf-8").splitlines()
    runtime = {line for line in lines if not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    serve = set(project["optional-dependencies"]["serve"])
    (command_line,) = serve - runtime
    assert command_line.startswith("typer==")
    assert runtime <= serve
    needed = {re.split(r"[<>=!~ ]", requirement)[0] for requirement in project["dependencies"]}
    assert needed <= pins("\n".join(runtime)).keys()


def test_the_base_lock_is_the_training_lock_without_torch():
    """Whose builds for CPU and for CUDA have other hashes: `make serve` takes either.

    Sources of models are for the image alone.
    """
    base, training = locked("base"), locked("training")
    sources = locked("store").keys() - locked("cpu").keys() - base.keys()
    torch = training.keys() - base.keys() - sources
    assert {"torch", "triton", "nvidia-cublas"} <= torch
    assert all(
        name in ("torch", "triton") or name.startswith(("cuda-", "nvidia-")) for name in torch
    )
    shared = training.keys() - torch - sources
    assert {name: base[name] for name in shared} == {name: training[name] for name in shared}


@pytest.mark.parametrize("lock", ["base", "cpu", "gpu", "store", "training", "sbom"])
def test_every_version_of_a_lock_has_its_hashes(lock):
    blocks = re.split(
        r"^(?=[\w.-]+==)", (LOCKS / f"{lock}.txt").read_text("utf-8"), flags=re.MULTILINE
    )
    assert all("--hash=sha256:" in block for block in blocks if block.strip())


def test_the_last_stage_only_copies_three_things():
    last = stages()[-1]
    assert re.findall(r"\b(?:apt-get|pip|apk|curl|wget)\b", last) == []
    copied = re.findall(r"^COPY --from=build (\S+) ", last, re.MULTILINE)
    assert copied == ["/usr/bin/tini-static", "/opt/venv", "/opt/valence"]
    assert len(re.findall(r"^(?:COPY|ADD) ", last, re.MULTILINE)) == 3


def test_copied_files_have_neither_compiler_nor_pip():
    build = stages()[0]
    assert re.findall(r"install --yes --no-install-recommends (.+?) &&", build) == ["tini"]
    assert "venv --without-pip /opt/venv" in build
    assert "--only-binary :all: --require-hashes" in build


def test_training_code_is_only_in_its_own_stage():
    training = [stage for stage in stages() if "COPY training/" in stage]
    assert [stage.splitlines()[0] for stage in training] == ["${PYTHON} AS training"]
    assert "USER 10001:10001" in training[0]


@pytest.mark.parametrize("variable", [None, "", "0", "PORT"])
def test_the_health_check_asks_the_port_of_probes(variable):
    """The port of ``VALENCE_ADMIN_PORT``, or else the image's own."""
    asked = []

    class Probe(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            """Say nothing."""

    (command,) = re.findall(r"^    CMD (\[.*\])$", stages()[-1], re.MULTILINE)
    (_, _, code) = json.loads(command)
    with http.server.HTTPServer(("127.0.0.1", 0), Probe) as server:
        port = str(server.server_port)
        value = port if variable == "PORT" else variable
        if variable != "PORT":
            code = code.replace("3000", port)
        environment = {} if value is None else {"VALENCE_ADMIN_PORT": value}
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        checked = subprocess.run(
            [sys.executable, "-S", "-c", code], env=environment, check=False, timeout=20
        )
        thread.join(timeout=20)
    assert asked == ["/livez"]
    assert checked.returncode == 0


def test_the_bento_holds_only_the_service():
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text("utf-8"))
    # tests/service/registry/test_bento.py says what `valence` holds there
    assert [path for path in bento["include"] if not path.startswith("valence/")] == []


def test_an_image_is_labelled_with_the_limits_of_its_models(tmp_path, save_tiny):
    """By the licences that the models in it record."""
    describe = runpy.run_path(str(ROOT / "deploy" / "image" / "restrictions.py"))[
        "describe_restrictions"
    ]
    for name in ("sentiment", "topic"):
        save_tiny(tmp_path / "models" / name / "1", name=name)
    assert describe(tmp_path) == ""
    path = tmp_path / "models" / "topic" / "1" / "model.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["training"]["corpora"][0] |= {"name": "bbc", "license": "provided for research"}
    path.write_text(json.dumps(manifest), "utf-8")
    assert describe(tmp_path) == "topic: bbc: provided for research"
    last = stages()[-1]
    assert 'valence.models.restrictions="${RESTRICTIONS}"' in last
    assert "ARG RESTRICTIONS=\n" in last
    script = (ROOT / "deploy" / "image" / "build.sh").read_text("utf-8")
    assert '--build-arg "RESTRICTIONS=$restrictions"' in script
