"""Feedback under load: what is acknowledged survives a kill, and classification stays as fast.

    python -m tests.trials.feedback [--database sqlite|postgresql] [--rate 1000] [--seconds 60]

First a classification every few milliseconds, alone and beside feedback in turn. Then feedback for
``--seconds``, in the middle of which every process of the server is killed and the server is
started again. Ends with 1 if acknowledged feedback is missing, if less than the rate was stored
before the kill or after the start, or if p99 of classification grew by more than a fifth. Needs the
model ``sentiment`` in the store.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

from valence.service.feedback.prediction_id import Issuer
from valence.service.feedback.store import Store

from tests.support.feedback_databases import KEY, serving_postgresql
from tests.trials.bench import load, texts
from tests.trials.bench.load import Job, Result, post
from tests.trials.bench.measure import median, say
from tests.trials.bench.processes import Server, free_port

_MODEL = "sentiment"
_MOST_SLOWDOWN = 1.2
_CONNECTIONS = 64
# classification beside feedback: light, so that a wait for feedback shows
_CLASSIFICATIONS_PER_SECOND = 200.0
_SENDER_NICENESS = 19
_RETRY_SECONDS = 0.02
# how long the sender goes on with what it could not send while no server ran
_GRACE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Sending:
    """Feedback to send: one piece a request, at ``rate``, about predictions of ``version``."""

    port: int
    version: str
    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sender saw; all times are those of ``time.perf_counter``, which processes share."""

    acknowledged: dict[str, float]
    """When each id was acknowledged."""
    refused: int
    """How many answers were not 200."""
    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class Outage:
    """When the server was killed, and when it was ready again."""

    killed: float
    ready: float


def measure_rates(sent: Sent, outage: Outage) -> tuple[float, float]:
    """How many pieces a second were acknowledged before the kill, and from the start on.

    What was due in between is sent after the start, so the second rate is higher than that of the
    sender if the server can do more.
    """
    before = sum(moment < outage.killed for moment in sent.acknowledged.values())
    after = sum(moment >= outage.ready for moment in sent.acknowledged.values())
    return (
        before / (outage.killed - sent.started),
        after / max(sent.ended - outage.ready, 1e-9),
    )


def main() -> int:
    """Print a table; return 1 if a figure is worse than it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.feedback", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--rate", type=float, default=1_000.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    version = (Path(os.environ["BENTOML_HOME"]) / "models" / _MODEL / "latest").read_text().strip()
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valence-feedback-")))
        address = (
            str(scratch / "feedback.db")
            if options.database == "sqlite"
            else stack.enter_context(serving_postgresql())
        )
        port = free_port()
        sending = Sending(port, version, options.rate, options.seconds)
        with _serving(port, address, scratch):
            alone, beside = _measure_slowdown(sending, options.rounds)
        ratio = median([a.p99 / b.p99 for a, b in zip(beside, alone, strict=True)])
        sent, outage = _measure_kill(sending, address, scratch)
        store = Store.open(address)
        kept = {record.id for record in store.read()}
        store.close()
    lost = len(sent.acknowledged.keys() - kept)
    before, after = measure_rates(sent, outage)
    lines = [
        "| figure | value |",
        "|---|---:|",
        f"| database | {options.database} |",
        f"| feedback acknowledged | {len(sent.acknowledged):,} |",
        f"| acknowledged and lost | {lost} |",
        f"| acknowledged per second before the kill | {before:.0f} |",
        f"| acknowledged per second after the start, with what was due | {after:.0f} |",
        f"| answers other than 200 | {sent.refused} |",
        f"| p99 of classification alone, ms | {1e3 * median([one.p99 for one in alone]):.2f} |",
        f"| p99 beside feedback, ms | {1e3 * median([one.p99 for one in beside]):.2f} |",
        f"| ratio of the p99, median of {options.rounds} rounds | {ratio:.2f} |",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    slow = min(before, after) < 0.99 * options.rate
    return int(lost > 0 or slow or ratio > _MOST_SLOWDOWN)


@contextlib.contextmanager
def _serving(port: int, address: str, scratch: Path) -> Iterator[Server]:
    environment: Mapping[str, str] = {
        "VALENCE_MODELS": _MODEL,
        "VALENCE_FEEDBACK_DATABASE": address,
        "VALENCE_FEEDBACK_KEY": KEY,
        # a crowded machine shall not look like a hung worker
        "VALENCE_HUNG_SECONDS": "60",
    }
    command = [sys.executable, "-m", "bentoml", "serve", "valence.service.app:Valence"]
    with Server(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        port=port,
        log=scratch / "log.txt",
        environment=environment,
    ) as server:
        yield server


def _measure_slowdown(sending: Sending, rounds: int) -> tuple[list[Result], list[Result]]:
    """Classification alone and beside feedback, in turn."""
    requests = [
        post("/v1/classify", json.dumps({"text": text}).encode()) for text in texts.sentences(500)
    ]
    seconds = sending.seconds / (2 * rounds)
    job = Job(sending.port, requests, 8, seconds, rate=_CLASSIFICATIONS_PER_SECOND)
    alone, beside = [], []
    for number in range(rounds):
        alone.append(load.run(job))
        with _sending(Sending(sending.port, sending.version, sending.rate, seconds + 1.5)):
            beside.append(load.run(job))
        say(f"  {number + 1}: p99 {1e3 * alone[-1].p99:.2f} ms, {1e3 * beside[-1].p99:.2f} ms")
    return alone, beside


def _measure_kill(sending: Sending, address: str, scratch: Path) -> tuple[Sent, Outage]:
    """What a sender saw while the server was killed, and when no server ran."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_serving(sending.port, address, scratch))
        results = stack.enter_context(_sending(sending))
        time.sleep(sending.seconds / 2)
        killed = time.perf_counter()
        for pid in server.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with _serving(sending.port, address, scratch):
            outage = Outage(killed, time.perf_counter())
            say(f"  killed, and served again after {outage.ready - killed:.1f} s")
            return results.get(timeout=sending.seconds + 2 * _GRACE_SECONDS), outage


@contextlib.contextmanager
def _sending(sending: Sending) -> Iterator[multiprocessing.Queue[Sent]]:
    """Send from a process of its own, and wait for its end."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[Sent] = context.Queue()
    ready = context.Event()
    process = context.Process(target=_send, args=(sending, results, ready), daemon=True)
    process.start()
    try:
        ready.wait(_GRACE_SECONDS)
        yield results
    finally:
        process.join(0.1)
        process.kill()
        process.join()


def _send(sending: Sending, results: multiprocessing.Queue[Sent], ready: Event) -> None:
    # clients run on other machines: here they take what the server leaves
    os.nice(_SENDER_NICENESS)
    ready.set()
    results.put(asyncio.run(_send_all(sending)))


async def _send_all(sending: Sending) -> Sent:
    """Send each piece when it is due; a piece without an answer is sent again."""
    issuer = Issuer(bytes.fromhex(KEY))
    acknowledged: dict[str, float] = {}
    refused = 0
    count = int(sending.rate * sending.seconds)
    numbers = iter(range(count))
    started = time.perf_counter()

    async def send() -> None:
        nonlocal refused
        reader = writer = None
        for number in numbers:
            await asyncio.sleep(max(started + number / sending.rate - time.perf_counter(), 0))
            name = issuer.issue(_MODEL, sending.version, ("positive",), 0.5)
            item = {"prediction_id": name, "label": "negative"}
            request = post("/v1/feedback", json.dumps({"feedback": [item]}).encode())
            while time.perf_counter() < started + sending.seconds + _GRACE_SECONDS:
                try:
                    if writer is None:
                        reader, writer = await asyncio.open_connection("127.0.0.1", sending.port)
                    writer.write(request)
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                    await reader.readexactly(length)
                except (OSError, asyncio.IncompleteReadError):
                    # the server is gone: it may have stored the piece, and did not say so
                    reader = writer = None
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                if head[9:12] == b"200":
                    acknowledged[name] = time.perf_counter()
                    break
                refused += 1
                await asyncio.sleep(_RETRY_SECONDS)

    await asyncio.gather(*(send() for _ in range(_CONNECTIONS)))
    return Sent(acknowledged, refused, started, time.perf_counter())


if __name__ == "__main__":
    sys.exit(main())
