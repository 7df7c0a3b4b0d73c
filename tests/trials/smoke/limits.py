"""The image at work within its limits: one CPU and 256 MB, read-only, without privileges."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator

from tests.trials.bench import texts
from tests.trials.chaos.clients import CLIENTS, Clients, right_answers
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import ask
from tests.trials.smoke.container import Container, running
from tests.trials.smoke.machine import podman

_MEMORY = 256_000_000
_READY_SECONDS = 5.0
_STARTS = 3
_LOAD_SECONDS = 8.0
_SIGTERMS = 3


def run(image: str) -> Iterator[Finding]:
    """Start the container, check its privileges, send requests, and end it under load."""
    yield _start(image)
    with running(image, memory=f"{_MEMORY}b") as container:
        container.wait_until_ready()
        yield _privileges(container)
        yield _work(container)
    yield _terminate(image)


def _start(image: str) -> Finding:
    seconds, processor = [], []
    for _ in range(_STARTS):
        with running(image, memory=f"{_MEMORY}b") as container:
            container.wait_until_ready()
            seconds.append(container.age())
            used = container.used()
            processor.append(used.cpu_seconds)
    return Finding(
        fault="start",
        tried=f"{_STARTS} times, one CPU (the kernel says {used.cpus:g}), "
        f"{used.limit_bytes / 1e6:.0f} MB; this machine's load average "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        lost=f"ready {_listed(seconds)} s after its first process; {_listed(processor)} s of "
        "processor time",
        promise=f"ready within {_READY_SECONDS:g} s on the clock, by the median",
        held=statistics.median(seconds) <= _READY_SECONDS and used.cpus == 1.0,
    )


def _listed(seconds: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in seconds)


def _privileges(container: Container) -> Finding:
    status = dict(
        line.split(":\t", 1)
        for line in container.run("cat", "/proc/1/status").splitlines()
        if ":\t" in line
    )
    user = status["Uid"].split()[0]
    write = "import pathlib; pathlib.Path('{}').write_text('x')"
    refused = [
        path
        for path in ("/x", "/opt/valence/x", "/var/x", "/tmp/x")
        if not _writes(container, write.format(path))
    ]
    # podman's timer needs systemd; the check itself does not
    healthy = podman("healthcheck", "run", container.name, check=False) == ""
    return Finding(
        fault="privileges",
        tried="the status of the first process; writes to /, /opt, /var and /tmp; HEALTHCHECK",
        lost=f"uid {user}, capabilities {status['CapBnd'].strip('0') or 'none'}, "
        f"no_new_privs {status['NoNewPrivs']}, seccomp {status['Seccomp']}; "
        f"refused: {', '.join(refused)}; {'healthy' if healthy else 'unhealthy'}",
        promise="no root, no capability, seccomp; only /tmp can be written; healthy",
        held=user == "10001"
        and not status["CapBnd"].strip("0")
        and status["NoNewPrivs"] == "1"
        and status["Seccomp"] == "2"
        and refused == ["/x", "/opt/valence/x", "/var/x"]
        and healthy,
    )


def _writes(container: Container, program: str) -> bool:
    wrote = "try:\n {}\n print('yes')\nexcept OSError:\n print('no')"
    return container.run("python", "-c", wrote.format(program)) == "yes"


def _work(container: Container) -> Finding:
    (result,) = ask(container.port, "/v1/classify", {"text": "I love it."})["results"]
    clients = Clients(container.port, right_answers(container.port, texts.sentences(200)))
    time.sleep(_LOAD_SECONDS)
    clients.stop()
    # one large request beside them: 1,000 sentences
    many = ask(container.port, "/v1/classify", {"texts": texts.sentences(1000)})["results"]
    used, seen = container.used(), clients.seen
    return Finding(
        fault="work in 256 MB",
        tried=f"{CLIENTS} clients without pause for {_LOAD_SECONDS:g} s, then 1,000 sentences "
        "at once",
        lost=f"{seen['right']:,} right answers, {sum(seen.values()) - seen['right']} others; peak "
        f"{used.peak_bytes / 1e6:.0f} of {used.limit_bytes / 1e6:.0f} MB; not killed",
        promise="all right, within the limit",
        held=result["label"] == "positive"
        and seen["right"] == sum(seen.values()) > 0
        and len(many) == 1000
        and used.limit_bytes <= _MEMORY
        and container.state("State.Running") == "true",
    )


def _terminate(image: str) -> Finding:
    statuses, lost, wrong, total, longest = [], 0, 0, 0, 0.0
    for _ in range(_SIGTERMS):
        with running(image, memory=f"{_MEMORY}b") as container:
            container.wait_until_ready()
            clients = Clients(container.port, right_answers(container.port, texts.sentences(50)))
            time.sleep(2.0)
            started = time.perf_counter()
            podman("kill", "--signal", "TERM", container.name)
            statuses.append(podman("wait", container.name))
            longest = max(longest, time.perf_counter() - started)
            clients.stop()
            lost += clients.seen["unanswered"]
            wrong += clients.seen["wrong"]
            total += clients.seen["right"]
    return Finding(
        fault="SIGTERM under load",
        tried=f"{_SIGTERMS} times, {CLIENTS} clients without pause, {total:,} answered",
        lost=f"{lost} accepted requests unanswered, {wrong} wrong answers; exit statuses "
        f"{', '.join(statuses)}; ended within {longest:.1f} s",
        promise="none unanswered, none wrong, exit 0",
        held=lost == wrong == 0 and set(statuses) == {"0"},
    )
