"""The code, packages and hardware that a classifier was made with."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from valence.service.version import VERSION

_PACKAGES = (
    "torch", "torchtext", "numpy", "scipy", "scikit-learn", "pyarrow", "safetensors", "pydantic",
    "bentoml", "ftfy",
)  # fmt: skip


def code_version() -> str:
    """The version of Valence and the commit of the checkout, "+changes" if files differ from it."""
    root = Path(__file__).parents[2]
    command = ["git", "-C", str(root)]
    try:
        commit = _output([*command, "rev-parse", "HEAD"])
        changed = _output([*command, "status", "--porcelain", "--untracked-files=no"])
    except (OSError, subprocess.CalledProcessError):
        return VERSION
    return f"{VERSION} {commit}{'+changes' if changed else ''}"


def packages() -> dict[str, str]:
    """Versions of Python and of the packages that affect weights or text handling."""
    versions = {name: version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), **versions}


def hardware(device: torch.device) -> str:
    """The processor, and its number of threads: the order of a sum affects its rounding."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {torch.get_num_threads()} of {os.cpu_count()} threads"


def operating_system() -> str:
    """Name, release and architecture."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def peak_memory_bytes() -> int:
    """The largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _output(command: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - no shell, all arguments are constants
        command, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
