"""Calls of gRPC beside requests of HTTP: per CPU-second of the server, and their tail.

One server answers both ports. MLServer stands beside it if its environment is there: `make bench
ONLY=reload` makes it. The generator is Python's own client for both, in a process and on a core of
its own: grpcio counts requests of one server only, so its own speed does not enter the figure per
CPU-second of the server, but it does enter latencies.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests.trials.bench import load, reload, serving, texts
from tests.trials.bench.load import Job, Result
from tests.trials.bench.measure import Options, interleave, median, percentile, say
from tests.trials.bench.processes import (
    BenchError,
    Server,
    cpu_seconds,
    free_port,
    generator_cpu,
    server_cpu,
)
from tests.trials.bench.report import Section, Table, figure

_MODEL = "sentiment"
_CONNECTIONS = (1, 64)
_METHOD = "/inference.GRPCInferenceService/ModelInfer"


@dataclass(frozen=True)
class _Subject:
    """A way to ask a server: prepared requests, and the function that sends them."""

    name: str
    server: Server
    job: Job
    grpc: bool


def run(options: Options) -> Section:
    """Ask for one sentence at a time, at one connection and at 64."""
    sentences = texts.sentences(2_000)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valence-bench-")))
        subjects = list(_serve(stack, scratch, sentences, options.seconds))
        generator = stack.enter_context(
            ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=_pin_generator
            )
        )

        def measure(subject: _Subject, connections: int) -> Result:
            say(f"  {subject.name}, {connections} at once")
            job = replace(subject.job, connections=connections)
            return generator.submit(run_calls if subject.grpc else load.run, job).result()

        measured = interleave(
            {
                (subject.name, connections): (
                    lambda subject=subject, connections=connections: measure(subject, connections)
                )
                for subject in subjects
                for connections in _CONNECTIONS
            },
            rounds=options.rounds,
        )
    return _section(subjects, measured)


def _serve(
    stack: contextlib.ExitStack, scratch: Path, sentences: Sequence[str], seconds: float
) -> Iterator[_Subject]:
    """Start the servers, and yield the ways to ask them."""
    calls = [_make_call(text) for text in sentences]
    infer = [reload.make_infer_request(text) for text in sentences]
    port = free_port()
    # this process only measures, and its servers inherit the variable
    os.environ["VALENCE_GRPC_PORT"] = str(port)
    valence = stack.enter_context(serving.serve(serving.VALENCE, cpus={server_cpu()}))
    servers = [("Valence", valence, port)]
    if (reload.MLSERVER / "mlserver").exists():
        versions = [serving.model_folder(_MODEL)]
        grpc_port = free_port()
        mlserver = stack.enter_context(
            reload.serve_mlserver(scratch, versions, grpc_port=grpc_port)
        )
        servers.append(("MLServer", mlserver.server, grpc_port))
    else:
        say("  MLServer's environment is missing; `make bench ONLY=reload` makes it")
    for name, server, grpc_port in servers:
        pids = server.pids()
        job = Job(port=server.port, requests=(), connections=1, seconds=seconds, pids=pids)
        if name == "Valence":
            bodies = [serving.VALENCE.one(text) for text in sentences]
            yield _Subject("Valence, `/v1/classify`", server, replace(job, requests=bodies), False)
        yield _Subject(f"{name}, REST of the protocol", server, replace(job, requests=infer), False)
        yield _Subject(f"{name}, gRPC", server, replace(job, port=grpc_port, requests=calls), True)


def _make_call(text: str) -> bytes:
    from valence.service.api.grpc.messages import MESSAGES

    message = MESSAGES["ModelInferRequest"](model_name=_MODEL)
    tensor = message.inputs.add(name="text", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(text.encode())
    content: bytes = message.SerializeToString()
    return content


def run_calls(job: Job) -> Result:
    """Run a closed loop of calls; raises :class:`BenchError` if a call fails."""
    return asyncio.run(_run_calls(job))


async def _run_calls(job: Job) -> Result:
    import grpc.aio

    # a channel each, as the connections of the other generator
    channels = [
        grpc.aio.insecure_channel(
            f"127.0.0.1:{job.port}", options=(("grpc.use_local_subchannel_pool", 1),)
        )
        for _ in range(job.connections)
    ]
    opens = time.perf_counter() + job.warm_up
    closes = opens + job.seconds
    taken: list[float] = []

    async def ask(channel: grpc.aio.Channel, first: int) -> None:
        call, number = channel.unary_unary(_METHOD), first
        while (started := time.perf_counter()) < closes:
            await call(job.requests[number % len(job.requests)])
            number += job.connections
            finished = time.perf_counter()
            if opens <= finished <= closes:
                taken.append(finished - started)

    async def count_cpu() -> float:
        await asyncio.sleep(opens - time.perf_counter())
        before = cpu_seconds(job.pids)
        await asyncio.sleep(closes - time.perf_counter())
        return cpu_seconds(job.pids) - before

    counting = asyncio.create_task(count_cpu())
    try:
        await asyncio.gather(*(ask(channel, index) for index, channel in enumerate(channels)))
    except grpc.aio.AioRpcError as error:
        raise BenchError(f"a call failed: {error.code()} {error.details()}") from None
    used = await counting
    await asyncio.gather(*(channel.close() for channel in channels))
    if not taken:
        raise BenchError("nothing was answered; measure longer")
    taken.sort()
    return Result(
        answered=len(taken),
        failed=0,
        seconds=job.seconds,
        cpu_seconds=used,
        p50=percentile(taken, 0.5),
        p99=percentile(taken, 0.99),
        lag_p99=0.0,
    )


def _section(
    subjects: Sequence[_Subject], measured: dict[tuple[str, int], list[Result]]
) -> Section:
    rows = []
    for subject in subjects:
        row = [subject.name]
        for connections in _CONNECTIONS:
            results = measured[subject.name, connections]
            row += [
                figure(median([result.per_cpu_second for result in results])),
                figure(median([result.p50 * 1e3 for result in results])),
                figure(median([result.p99 * 1e3 for result in results])),
            ]
        rows.append(row)
    head = ["way to ask"]
    for connections in _CONNECTIONS:
        head += [f"{connections}: per CPU-s", "p50, ms", "p99, ms"]
    text = (
        "One sentence a request, in a closed loop at one connection and at 64. Valence answers "
        "both ports in one process. MLServer 1.7.1 computes with Valence's engine. Latencies of "
        "gRPC include those of Python's client, which is slower than the generator of HTTP. "
        f"Servers are pinned to core {server_cpu()}, the generator to core {generator_cpu()}."
    )
    return Section("gRPC beside REST", text, [Table(head, rows)])


def _pin_generator() -> None:
    os.sched_setaffinity(0, {generator_cpu()})
