"""The worst requests that a client may send: the memory that each takes, and the probes beside it.

Every combination of options of every route is tried with texts at the limits, and bodies with as
many faults as fit. The server may use three quarters of the memory of the shipped deployment: the
kernel kills it if it takes more. The kernel also resets the peak of a process's memory on request
(``/proc/PID/clear_refs``), so each request has a peak of its own.
"""

from __future__ import annotations

import collections
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import yaml

from tests.trials.bench.measure import percentile, say
from tests.trials.bench.processes import Server, generator_cpu
from tests.trials.chaos import memory_group
from tests.trials.chaos.case import Case
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.memory_group import MemoryGroup
from tests.trials.chaos.served import ask, count_workers, serve
from tests.trials.chaos.worst_requests import list_cases

_DEPLOYMENT = Path("deploy/base/release/deployment.yaml")
# of the shipped limit; the rest is to spare
_SHARE_OF_LIMIT = 0.75
_MOST_PROBE_SECONDS = 0.25
_PROBE_PAUSE_SECONDS = 0.02
_PROBE = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
# longer than the deadline that the settings of the service allow
_ANSWER_SECONDS = 75.0
# a longer request, or one beside which a probe is later, is written to the terminal
_LONG_SECONDS = 6.0
_AT_ONCE = 16
# other programs on the machine delay probes too, so probes are sent without a request first
_ALONE_SECONDS = 3.0
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: its status (0: no answer), its seconds, and what it cost the server."""

    case: Case
    status: int
    seconds: float
    answer_bytes: int
    peak_bytes: int
    probes: Sequence[float]
    """The seconds of each probe beside the request."""

    @property
    def probe_seconds(self) -> float:
        """The seconds of the slowest probe."""
        return max(self.probes)

    def describe(self) -> str:
        """The attempt in one line."""
        return (
            f"{self.case.name}: {self.status}, {self.peak_bytes / 2**20:.0f} MiB, probe "
            f"{self.probe_seconds * 1e3:.0f} ms, {self.seconds:.1f} s, "
            f"{self.answer_bytes / 2**20:.1f} MiB of answer"
        )


class Limited:
    """The memory that the servers of the trial may use, and who enforces it.

    Where this user may make no control group, the peaks of the processes alone are compared.
    """

    def __init__(self, limit: int, group: MemoryGroup | None, refusal: str = "") -> None:
        self.limit = limit
        self._group = group
        self._refusal = refusal

    def serve(self) -> AbstractContextManager[Server]:
        """A server within the limit."""
        return serve(wrap=self._group.wrap) if self._group else serve()

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed for want of memory."""
        return self._group.kills() if self._group else 0

    def describe(self) -> str:
        """What enforces the limit."""
        share = f"{self.limit / 2**20:.0f} MiB, {_SHARE_OF_LIMIT:.0%} of the limit in {_DEPLOYMENT}"
        if self._group:
            return f"in a control group of {share}"
        return f"the peaks of all processes against {share} (no control group: {self._refusal})"


@contextlib.contextmanager
def limit_memory() -> Iterator[Limited]:
    """Servers of the block may use the memory of the deployment but for what is to spare."""
    limit = read_memory_limit()
    with contextlib.ExitStack() as stack:
        try:
            group = stack.enter_context(memory_group.limit_memory(limit))
        except OSError as error:
            yield Limited(limit, None, str(error))
        else:
            yield Limited(limit, group)


def run(*, tries: int = 1_000) -> Iterator[Finding]:
    """Try the first ``tries`` requests one by one; then the worst of them, many at once."""
    os.sched_setaffinity(0, {generator_cpu()})
    with limit_memory() as limited:
        with limited.serve() as server:
            card, *others = ask(server.port, "/v1/models")["models"]
            models = [card["name"], *(other["name"] for other in others)]
            cases = list_cases(card["limits"], models)
            with Probes(server.port) as alone:
                time.sleep(_ALONE_SECONDS)
            attempts = list(_try_all(server, cases[:tries], limit=limited.limit))
        yield _memory_finding(attempts, limited, every=len(cases))
        yield _probe_finding(attempts, alone=alone.longest)
        accepted = [one for one in attempts if one.status == 200]
        worst = sorted(accepted, key=lambda one: -one.peak_bytes)[:_AT_ONCE]
        with limited.serve() as server:
            yield _crowd_finding(server, [one.case for one in worst], limited)


def _try_all(server: Server, cases: Sequence[Case], *, limit: int) -> Iterator[Attempt]:
    """Send each request, until one ends the server."""
    for case in cases:
        made = attempt(server, case)
        if (
            made.peak_bytes > limit
            or made.seconds > _LONG_SECONDS
            or made.probe_seconds > _MOST_PROBE_SECONDS
            or not made.status
        ):
            say(made.describe())
        yield made
        if not made.peak_bytes:
            return


def read_memory_limit() -> int:
    """The bytes of memory that the deployment as shipped may use, without what must be to spare.

    The shipped one has one worker; each of several may use as much.
    """
    (container,) = yaml.safe_load(_DEPLOYMENT.read_text("utf-8"))["spec"]["template"]["spec"][
        "containers"
    ]
    limit: str = container["resources"]["limits"]["memory"]
    return int(int(limit.removesuffix("Mi")) * 2**20 * _SHARE_OF_LIMIT) * count_workers()


def attempt(server: Server, case: Case) -> Attempt:
    """Send a request and read its whole answer, with probes beside it."""
    request = case.encode()
    _reset_peak(server)
    with Probes(server.port) as probes:
        started = time.perf_counter()
        status, size = _exchange(server.port, request)
        seconds = time.perf_counter() - started
    return Attempt(case, status, seconds, size, _read_peak(server), probes.taken)


class Probes:
    """Asks for ``/livez`` again and again while the context lasts, each time by a new connection.

    A probe that begins before the end of the context counts.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self.taken: list[float] = []
        """The seconds of each probe."""
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def longest(self) -> float:
        """The seconds of the slowest probe."""
        return max(self.taken)

    @property
    def p99(self) -> float:
        """The 99th percentile of the seconds of a probe."""
        return percentile(sorted(self.taken), 0.99)

    def _run(self) -> None:
        while True:
            started = time.perf_counter()
            _exchange(self._port, _PROBE)
            self.taken.append(time.perf_counter() - started)
            if self._over.wait(_PROBE_PAUSE_SECONDS):
                return


@dataclass
class _Answer:
    """What has been received of an answer."""

    head: bytes = b""
    size: int = 0
    buffer: bytearray = field(default_factory=lambda: bytearray(1 << 16))

    def receive(self, connection: socket.socket) -> bool:
        """Receive what has arrived; returns whether the answer goes on."""
        count = connection.recv_into(self.buffer)
        self.head += bytes(self.buffer[: min(count, 16 - len(self.head))])
        self.size += count
        return count > 0

    @property
    def status(self) -> int:
        return int(self.head[9:12]) if self.head[9:12].isdigit() else 0


def _exchange(port: int, request: bytes) -> tuple[int, int]:
    """The status of the answer, 0 if none came, and the bytes of the answer."""
    answer = _Answer()
    try:
        with socket.create_connection(("127.0.0.1", port), _ANSWER_SECONDS) as connection:
            # a stream answers while its body still arrives, and waits for a client that reads
            sender = threading.Thread(target=_send, args=(connection, request))
            sender.start()
            while answer.receive(connection):
                pass
            sender.join()
    except OSError:
        return 0, answer.size
    return answer.status, answer.size


def _send(connection: socket.socket, request: bytes) -> None:
    try:
        connection.sendall(request)
    except OSError:
        # refused before all was sent; the answer says why
        return


def _reset_peak(server: Server) -> None:
    for pid in server.pids():
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def _read_peak(server: Server) -> int:
    """The sum of the peaks of all processes of the server; 0 if its worker was killed."""
    total = 0
    for pid in server.pids():
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        except OSError:
            return 0
        peak = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        total += int(peak[0].split()[1]) * 1024 if peak else 0
    return total


def _count(attempts: Sequence[Attempt]) -> str:
    statuses = collections.Counter(one.status for one in attempts)
    return ", ".join(f"{count:,} x {status}" for status, count in sorted(statuses.items()))


def _memory_finding(attempts: Sequence[Attempt], limited: Limited, *, every: int) -> Finding:
    accepted = [one for one in attempts if one.status == 200] or attempts
    worst = sorted(attempts, key=lambda one: -one.peak_bytes)[:_SHOWN]
    peak = max(one.peak_bytes for one in accepted)
    return Finding(
        fault="the worst request",
        tried=f"{len(attempts):,} of {every:,} requests at the limits, every combination of "
        f"options of every route, one by one, {limited.describe()}",
        lost=f"{_count(attempts)}; {limited.kills} killed; an accepted request takes at most "
        f"{peak / 2**20:.0f} MiB, all processes together; the worst: "
        f"{'; '.join(one.describe() for one in worst)}",
        promise="an answer to each, none 500; no process killed; no peak above the limit",
        held=not limited.kills
        and max(one.peak_bytes for one in attempts) <= limited.limit
        and all(one.status not in (0, 500) for one in attempts),
    )


def _probe_finding(attempts: Sequence[Attempt], *, alone: float) -> Finding:
    worst = sorted(attempts, key=lambda one: -one.probe_seconds)[:_SHOWN]
    slowest = sorted(one.probe_seconds for one in attempts)
    every = sorted(seconds for one in attempts for seconds in one.probes)
    p99 = percentile(every, 0.99)
    return Finding(
        fault="probes beside the worst request",
        tried=f"GET /livez every {_PROBE_PAUSE_SECONDS * 1e3:.0f} ms beside each of these requests",
        lost=f"{len(every):,} probes, p99 {p99 * 1e3:.0f} ms; the slowest probe of a request: p50 "
        f"{percentile(slowest, 0.5) * 1e3:.0f} ms, p99 {percentile(slowest, 0.99) * 1e3:.0f} ms; "
        f"{alone * 1e3:.0f} ms with no request; the worst: "
        f"{'; '.join(one.describe() for one in worst)}",
        promise=f"p99 at most {_MOST_PROBE_SECONDS * 1e3:.0f} ms",
        held=p99 <= _MOST_PROBE_SECONDS,
    )


def _crowd_finding(server: Server, cases: Sequence[Case], limited: Limited) -> Finding:
    """The worst requests, several at once and then all again: do their costs add up?"""
    port = server.port
    _reset_peak(server)
    requests = [case.encode() for case in cases] * 2
    with Probes(port) as probes, ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda request: _exchange(port, request), requests))
    peak = _read_peak(server)
    statuses = collections.Counter(status for status, _ in answers)
    return Finding(
        fault="the worst requests at once",
        tried=f"the {len(cases)} accepted requests that take most memory, {_AT_ONCE} at once, each "
        f"twice, {limited.describe()}",
        lost=f"{', '.join(f'{count} x {status}' for status, count in sorted(statuses.items()))}; "
        f"{limited.kills} killed; {peak / 2**20:.0f} MiB; probes p99 {probes.p99 * 1e3:.0f} ms, "
        f"slowest {probes.longest * 1e3:.0f} ms",
        promise="answers by contract (200, 422, 429, 504); no process killed; no peak above the "
        f"limit; p99 of probes {_MOST_PROBE_SECONDS * 1e3:.0f} ms at most",
        held=set(statuses) <= {200, 422, 429, 504}
        and not limited.kills
        and 0 < peak <= limited.limit
        and probes.p99 <= _MOST_PROBE_SECONDS,
    )
