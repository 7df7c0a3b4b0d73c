"""One container of the image, run as intended: read-only, unprivileged, limited."""

from __future__ import annotations

import contextlib
import datetime
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.trials.bench.processes import answers, free_port
from tests.trials.smoke.machine import SmokeError, podman

_CGROUPS = Path("/sys/fs/cgroup")
_READY_SECONDS = 120.0


class Used(NamedTuple):
    """Counters of the kernel for a container."""

    cpu_seconds: float
    peak_bytes: int
    limit_bytes: int
    cpus: float


class Container:
    """A container ``name`` that answers on ``port``."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port

    def wait_until_ready(self) -> float:
        """Return the seconds until the readiness probe is answered; raises :class:`SmokeError`."""
        started = time.perf_counter()
        while not answers(self.port, "/readyz"):
            if time.perf_counter() - started > _READY_SECONDS:
                raise SmokeError(f"{self.name} is not ready:\n{podman('logs', self.name)[-2000:]}")
            time.sleep(0.02)
        return time.perf_counter() - started

    def run(self, *command: str) -> str:
        """Return the output of a command in the container."""
        return podman("exec", self.name, *command)

    def state(self, field: str) -> str:
        """Return a field of ``podman inspect``, for example ``State.ExitCode``."""
        return self._inspected(f".{field}")

    def _inspected(self, expression: str) -> str:
        return podman("inspect", "--format", f"{{{{{expression}}}}}", self.name)

    def age(self) -> float:
        """Return the seconds since the start of the first process."""
        began = datetime.datetime.fromisoformat(
            json.loads(self._inspected("json .State.StartedAt"))
        )
        return (datetime.datetime.now(datetime.UTC) - began).total_seconds()

    def used(self) -> Used:
        """Return the used resources and the limits of the kernel, from cgroups v1 or v2."""
        lines = Path(f"/proc/{self.state('State.Pid')}/cgroup").read_text("ascii").splitlines()
        groups = {line.split(":")[1]: line.split(":")[2] for line in lines}
        if "memory" in groups:
            memory = _CGROUPS / "memory" / groups["memory"][1:]
            cpu = _CGROUPS / "cpu" / groups["cpu"][1:]
            times = _CGROUPS / "cpuacct" / groups["cpuacct"][1:]
            return Used(
                _number(times / "cpuacct.usage") / 1e9,
                _number(memory / "memory.max_usage_in_bytes"),
                _number(memory / "memory.limit_in_bytes"),
                _number(cpu / "cpu.cfs_quota_us") / _number(cpu / "cpu.cfs_period_us"),
            )
        group = _CGROUPS / groups[""][1:]
        counted = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
        quota, period = (group / "cpu.max").read_text().split()
        return Used(
            int(counted["usage_usec"]) / 1e6,
            _number(group / "memory.peak"),
            _number(group / "memory.max"),
            float("inf") if quota == "max" else int(quota) / int(period),
        )


@contextlib.contextmanager
def running(image: str, *, memory: str, restarts: bool = False) -> Iterator[Container]:
    """Run a container with one CPU and this ``memory``; remove it at the end.

    With ``restarts`` podman starts it again when it ends by itself, as a kubelet would.
    """
    container = Container("valence-smoke", free_port())
    podman("rm", "--force", "--ignore", container.name)
    podman(
        "run", "--detach", "--name", container.name,
        "--publish", f"127.0.0.1:{container.port}:3000",
        "--env", "VALENCE_ALLOW_ANONYMOUS=true",
        "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        "--memory", memory, "--memory-swap", memory, "--cpus", "1",
        "--restart", "on-failure" if restarts else "no",
        image,
    )  # fmt: skip
    try:
        yield container
    finally:
        podman("rm", "--force", "--time", "10", container.name)


def labels(image: str) -> dict[str, str]:
    """Return the OCI labels of the image."""
    found: dict[str, str] = json.loads(
        podman("image", "inspect", "--format", "{{json .Labels}}", image)
    )
    return found


def size(image: str) -> int:
    """Return the bytes of an image with all its layers, unpacked."""
    return int(podman("image", "inspect", "--format", "{{.Size}}", image))


def _number(path: Path) -> int:
    return int(path.read_text("ascii"))
