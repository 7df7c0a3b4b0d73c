"""A wheel built by ``make wheel``, and a new environment that has nothing but the wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
PROGRAM = """
import json, sys
import valence
answer = valence.load({folder!r})(["Great"])
native = valence.load({folder!r}).engine
print(json.dumps([answer, native, "torch" in sys.modules]))
"""


@dataclass(frozen=True)
class Tried:
    """What a new environment did with a wheel."""

    python: str
    install_seconds: float
    """From no environment to an installed wheel."""
    answer_seconds: float
    """From the start of Python to the first label, after which the process ended."""
    label: str
    engine: str
    packages: Sequence[str]
    """Names of all installed packages, but for pip."""


def find_pythons() -> dict[str, Path]:
    """The Pythons of this machine that Valence is for, by version."""
    found = {}
    for version in VERSIONS:
        here = shutil.which(f"python{version}")
        kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
        for path in ([Path(here)] if here else []) + kept:
            if _version(path) == version:
                found[version] = path
                break
    return found


def _version(python: Path) -> str:
    """The version that an interpreter tells; empty for one that does not run."""
    done = subprocess.run(
        [python, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def copy_sources(folder: Path) -> Path:
    """Copy what git knows, and what it would add, into ``folder``."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def build_wheel(folder: Path, python: Path) -> Path:
    """Build the wheel of the sources in ``folder`` as a user does."""
    done = subprocess.run(
        ["make", "--silent", "wheel", f"PYTHON={python}"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "dist").glob("valence-*.whl")
    return wheel


def list_names(wheel: Path) -> set[str]:
    """The names that a wheel puts into site-packages."""
    with zipfile.ZipFile(wheel) as archive:
        return {re.split("/", name)[0] for name in archive.namelist()}


def try_wheel(wheel: Path, python: Path, model: Path, folder: Path) -> Tried:
    """Install ``wheel`` into a new environment in ``folder`` and predict with ``model``.

    Neither a compiler, make nor git can be found, and nothing is built from sources.
    """
    started = time.monotonic()
    subprocess.run([python, "-m", "venv", folder], check=True)
    # pip's own settings for an index stay
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "SSL_", "REQUESTS_", "HTTP")) or name.lower().endswith("_proxy")
    } | {"PATH": str(folder / "bin"), "HOME": str(Path.home())}
    run = folder / "bin" / "python"

    def call(*arguments: object) -> str:
        done = subprocess.run(
            [run, *map(str, arguments)],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    options = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:")
    call("-m", "pip", "install", *options, wheel)
    installed = time.monotonic()
    answer, engine, with_torch = json.loads(call("-c", PROGRAM.format(folder=str(model))))
    ended = time.monotonic()
    assert not with_torch
    listed = json.loads(call("-m", "pip", "list", "--format", "json"))
    return Tried(
        _version(python),
        installed - started,
        ended - installed,
        answer[0]["label"],
        engine,
        sorted(one["name"] for one in listed if one["name"] not in ("pip", "setuptools")),
    )
