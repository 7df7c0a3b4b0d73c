"""The content of the image: its size above the base, by part, and unwanted files."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.trials.chaos.finding import Finding
from tests.trials.smoke import inside
from tests.trials.smoke.container import labels, size
from tests.trials.smoke.machine import BASE, SmokeError, build_environment, podman

_MOST = 300_000_000
_MIB = 2**20
# distributions that only building, training or a GPU needs, and the prefixes of CUDA's
UNWANTED = {"torch", "torchtext", "triton", "pip", "setuptools", "wheel", "pybind11", "scipy"}
_CUDA = ("nvidia-", "cuda-")
# used by BentoML: Python code that asks a driver, if present, for the load of its GPUs
_NOT_CUDA = {"nvidia-ml-py"}
_LABELS = {f"org.opencontainers.image.{name}" for name in ("title", "version", "revision")}


def run(image: str) -> Iterator[Finding]:
    """Build the image, then measure and search it."""
    started = time.perf_counter()
    built = subprocess.run(
        ["deploy/image/build.sh", "cpu", image],
        env=build_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise SmokeError(f"deploy/image/build.sh: {(built.stdout + built.stderr)[-3000:]}")
    seconds = time.perf_counter() - started
    above = size(image) - size(BASE)
    found = look(image)
    cached = (built.stdout + built.stderr).count("Using cache")
    yield Finding(
        fault="size",
        tried=f"`deploy/image/build.sh cpu`, {cached} steps cached",
        lost=f"{above / 1e6:.0f} MB above the base image, built in {seconds:.0f} s; "
        f"MiB of {_heaviest(found['parts'])}; of the packages {_heaviest(found['packages'])}",
        promise=f"<= {_MOST / 1e6:.0f} MB",
        held=above <= _MOST,
    )
    faults = [*unwanted(found["packages"]), *found["forbidden"]]
    listed = _listed(image) == set(found["packages"])
    yield Finding(
        fault="unwanted content",
        tried=f"{len(found['packages'])} packages and all programs and libraries searched for "
        f"{', '.join(sorted(UNWANTED))}, CUDA, {', '.join(inside.PROGRAMS)}, training code",
        lost=f"{', '.join(faults) or 'none of them'}; "
        f"the CycloneDX list {'agrees' if listed else 'does not agree'}",
        promise="none; contents listed, OCI labels set",
        held=not faults and listed and labels(image).keys() >= _LABELS,
    )


def look(image: str) -> dict[str, Any]:
    """Return the bytes of packages and parts, and the unwanted files."""
    program = Path(inside.__file__).read_text("utf-8")
    command = ("run", "--rm", "--interactive", "--network", "none", "--entrypoint", "", image)
    found: dict[str, Any] = json.loads(podman(*command, "python", "-", stdin=program))
    return found


def unwanted(names: Iterable[str]) -> list[str]:
    """Return the distributions that the CPU image must not hold."""
    return [
        name
        for name in names
        if name in UNWANTED or (name.startswith(_CUDA) and name not in _NOT_CUDA)
    ]


def _heaviest(weights: dict[str, int]) -> str:
    ordered = sorted(weights.items(), key=lambda item: -item[1])[:8]
    return ", ".join(f"{name} {weight / _MIB:.0f}" for name, weight in ordered)


def _listed(image: str) -> set[str]:
    """Return the names of the components in the image's own CycloneDX document."""
    command = ("run", "--rm", "--network", "none", "--entrypoint", "", image)
    document = json.loads(podman(*command, "cat", "/opt/venv/sbom.cdx.json"))
    return {component["name"].lower() for component in document["components"]}
