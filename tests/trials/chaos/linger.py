"""Strangers hold as many connections as there may be: are owners of keys and probes served?"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.trials.bench import load, texts
from tests.trials.bench.load import Job
from tests.trials.bench.processes import BenchError, Server, free_port, generator_cpu
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.probes import Probing
from tests.trials.chaos.served import serve
from tests.trials.chaos.slow import unread_port
from tests.trials.chaos.strangers import BODIES, OTHERS, Crowd, Plan, crowd_at
from tests.trials.chaos.worst import read_memory_limit

# Where the strangers come together, their own work delays the generator too, on the same processor.
_MOST_RATIO = 1.5
_MOST_RATIO_TOGETHER = 3.0
_KEY = "valence_b3duZXItb2YtYS1rZXktaW4tYS10cmlhbC1vZi1jaGFvcw"
_ROUNDS = 3
# what the decision about connections states
LINGER_SECONDS = 5.0
# The server looks at connections twice a second, a stranger tries its own once a second, and both
# take a while for hundreds of them.
_NOTICED_SECONDS = 2.0


def run(*, clients: int = 768, seconds: float = 8.0) -> Iterator[Finding]:
    """Alternate the load of an owner beside strangers elsewhere and beside strangers here."""
    os.sched_setaffinity(0, {generator_cpu()})
    with tempfile.TemporaryDirectory(prefix="valence-keys-") as folder:
        keys = Path(folder) / "keys"
        keys.write_text(f"owner: sha256:{hashlib.sha256(_KEY.encode()).hexdigest()}\n", "utf-8")
        for name, plan in (
            ("bodies", Plan(clients, BODIES)),
            ("bodies, together", Plan(clients, BODIES, together=True)),
            ("every kind", Plan(clients, BODIES + OTHERS)),
        ):
            admin = free_port()
            settings = {"VALENCE_API_KEYS_FILE": str(keys), "VALENCE_ADMIN_PORT": str(admin)}
            with serve(settings=settings) as server, Probing(admin) as probing:
                yield _beside(server, name, plan, probing, seconds=seconds)


def _beside(server: Server, name: str, plan: Plan, probing: Probing, *, seconds: float) -> Finding:
    requests = [_owned(text) for text in texts.sentences(2_000)]
    closed = Job(port=server.port, requests=requests, connections=64, seconds=3.0, warm_up=2.0)
    rate = load.run(closed).per_second / 4
    job = Job(
        port=server.port,
        requests=requests,
        connections=64,
        seconds=seconds,
        rate=rate,
        pids=server.pids(),
    )
    alone, beside, crowds, failed = [], [], list[Crowd](), 0
    # of the same requests; other programs change it less than the time that they wait
    processor = {"alone": 0.0, "beside": 0.0}
    broken = ""
    for _ in range(_ROUNDS):
        with unread_port(plan.clients) as elsewhere, crowd_at(elsewhere, plan):
            result = load.run(job)
            alone.append(result.p99)
            processor["alone"] += result.cpu_seconds
        with crowd_at(server.port, plan) as end:
            # An owner connects when the strangers have settled.
            time.sleep(1.0)
            try:
                result = load.run(job)
                beside.append(result.p99)
                processor["beside"] += result.cpu_seconds
                failed += result.failed
            except (BenchError, OSError) as error:
                failed += 1
                broken = f", {error}"
            crowds.append(end())
    without = statistics.median(alone)
    with_them = statistics.median(beside) if beside else float("nan")
    held = {
        kind.name: max(crowd.held.get(kind.name, 0.0) for crowd in crowds) for kind in plan.kinds
    }
    longest = max(held[kind.name] for kind in plan.kinds if kind in BODIES)
    longest_by_kind = ", ".join(f"{kind} {lasted:.1f} s" for kind, lasted in held.items())
    came = sum(crowd.connections for crowd in crowds)
    most_ratio = _MOST_RATIO_TOGETHER if plan.together else _MOST_RATIO
    peak, most = sum(part.peak for part in server.memory()), read_memory_limit()
    return Finding(
        fault=f"strangers without a key: {name}",
        tried=f"{plan.clients} strangers, {came:,} connections in {_ROUNDS} rounds of "
        f"{seconds:g} s, beside an owner of a key with a quarter of the peak; alternating with as "
        "many strangers at a socket that is not read",
        lost=f"the owner's p99 {without * 1e3:.1f} ms to {with_them * 1e3:.1f} ms "
        f"({with_them / without:.2f} times), for "
        f"{processor['beside'] / processor['alone']:.2f} times the processor time of the server; "
        f"{failed} of its requests failed{broken}; probes on the port of VALENCE_ADMIN_PORT: "
        f"{probing.describe()}; {peak / 2**20:.0f} MiB; the longest held connection: "
        f"{longest_by_kind}",
        promise=f"no request of an owner fails; p99 within {most_ratio:g} times; every probe is "
        f"answered with 200; at most {most / 2**20:.0f} MiB; no body is held for longer than "
        f"{LINGER_SECONDS:g} s after its answer, and {_NOTICED_SECONDS:g} s until a stranger sees "
        "that",
        held=with_them <= most_ratio * without
        and not failed
        and set(probing.seen) == {"200"}
        and peak <= most
        and longest <= LINGER_SECONDS + _NOTICED_SECONDS,
    )


def _owned(text: str) -> bytes:
    body = json.dumps({"text": text}).encode()
    head = (
        "POST /v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-API-Key: {_KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
