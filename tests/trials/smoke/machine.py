"""What this machine lacks compared with a normal one, and how containers run here anyway."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.trials.bench.measure import say

TOOLS = ("podman", "prometheus", "promtool", "prometheus-alertmanager")
BASE = "docker.io/library/python:3.11-slim-bookworm"
_FILES, _PROCESSES = 4096, 4096


class SmokeError(Exception):
    """The image cannot be tried, or a trial failed."""


def missing() -> list[str]:
    """Return the tools that are not installed."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def podman(*arguments: str, check: bool = True, seconds: float = 120.0, stdin: str = "") -> str:
    """Return podman's output; raises :class:`SmokeError` with its last line."""
    try:
        done = subprocess.run(
            ["podman", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            # conmon leaves a file in its start folder when the kernel kills a container for memory
            cwd=tempfile.gettempdir(),
        )
    except subprocess.TimeoutExpired:
        raise SmokeError(f"podman {arguments[0]}: not done after {seconds:g} s") from None
    if check and done.returncode:
        raise SmokeError(f"podman {arguments[0]}: {_last(done.stderr)}")
    return done.stdout.strip()


def prepare(scratch: Path) -> None:
    """Configure podman with settings that work here; report those that do not work, with
    reasons.
    """
    ensure_base(scratch)
    reasons = []
    for name, settings in _settings():
        path = scratch / "containers.conf"
        path.write_text(settings, "utf-8")
        os.environ["CONTAINERS_CONF"] = str(path)
        try:
            # options of every container in the trials
            podman(
                "run", "--rm", "--memory", "64m", "--cpus", "1", "--publish", "127.0.0.1::3000",
                BASE, "true",
            )  # fmt: skip
        except SmokeError as error:
            reasons.append(f"{name}: {error}")
            continue
        for reason in reasons:
            say(f"not possible here, {reason}")
        say(f"containers run with {name}")
        return
    raise SmokeError("no container runs here: " + "; ".join(reasons))


def _settings() -> Iterator[tuple[str, str]]:
    """Yield settings for running containers, the usual ones first."""
    yield "podman's defaults", ""
    # without CAP_SYS_RESOURCE no limit may be raised, and podman's defaults are high
    files = min(_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    limits = f'["nofile={files}:{files}", "nproc={_PROCESSES}:{_PROCESSES}"]'
    for runtime in ("crun", "runc"):
        if shutil.which(runtime) or Path(f"/usr/sbin/{runtime}").exists():
            settings = f"""\
[containers]
default_ulimits = {limits}
[engine]
runtime = "{runtime}"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
            yield f"{runtime}, cgroupfs and lower limits of files and processes", settings


def ensure_base(scratch: Path) -> None:
    """Pull the base image, or build one from Debian's packages if no registry is reachable."""
    if not _succeeds("image", "exists", BASE):
        try:
            podman("pull", "--quiet", BASE, seconds=300.0)
        except SmokeError as error:
            say(f"{error}; a base image is made of Debian's packages instead")
            _debootstrap(scratch / "root")


def _debootstrap(root: Path) -> None:
    packages = "python3,python3-pip,python3-venv,ca-certificates"
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        raise SmokeError(f"debootstrap: {_last(made.stdout + made.stderr)}")
    (root / "usr/bin/python").symlink_to("python3")
    # this machine's certificate authorities: one of them may certify its package index
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs")
    archive = root.with_suffix(".tar")
    subprocess.run(["tar", "--create", "--file", archive, "--directory", root, "."], check=True)
    shutil.rmtree(root)
    change = "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt"
    podman("import", "--change", change, str(archive), BASE, seconds=300.0)
    archive.unlink()


def build_environment() -> Mapping[str, str]:
    """Return variables for ``deploy/image/build.sh``: podman, isolated as far as possible here."""
    environment = {**os.environ, "BUILDER": "podman"}
    with tempfile.TemporaryDirectory(prefix="valence-smoke-") as context:
        probe = f"FROM {BASE}\nRUN true\n"
        if not _succeeds("build", "--quiet", "--file", "-", context, stdin=probe):
            say("a build step is isolated only by chroot: more is not possible here")
            environment["BUILDAH_ISOLATION"] = "chroot"
    return environment


def _succeeds(*arguments: str, stdin: str = "") -> bool:
    try:
        podman(*arguments, stdin=stdin)
    except SmokeError:
        return False
    return True


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
