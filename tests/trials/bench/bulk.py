"""Score a million lines through ``POST /v1/classify/stream``, and the same lines from a file."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.trials.bench import serving, texts
from tests.trials.bench.measure import Options, median, say
from tests.trials.bench.processes import BenchError, Server, cpu_seconds, generator_cpu, server_cpu
from tests.trials.bench.report import Goal, Section, Table, figure

_WARM_UP_LINES = 20_000
_SEND_LINES = 500
_LOOK_SECONDS = 0.5
_HEAD = (
    b"POST /v1/classify/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
)


@dataclass(frozen=True)
class _Pass:
    """Measurements of one way to score all lines."""

    seconds: float
    cpu_seconds: float
    growth: int = 0


def run(options: Options) -> Section:
    """Measure the file first, then the stream, in each round."""
    some = texts.sentences(20_000)
    lines = [json.dumps({"text": text}).encode() + b"\n" for text in some]
    files, streams = [], []
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "lines.jsonl"
        with path.open("wb") as file:
            for start in range(0, options.lines, len(lines)):
                file.writelines(lines[: options.lines - start])
        for number in range(options.rounds if options.lines < 1_000_000 else 1):
            out = Path(scratch) / f"scored-{number}.jsonl"
            files.append(_score_file(path, out))
            say(f"  file: {options.lines / files[-1].seconds:,.0f} lines/s")
            with serving.serve(serving.VALENCE, cpus={server_cpu()}) as server:
                _stream(server, _cut(lines, _WARM_UP_LINES), expected=_WARM_UP_LINES)
                streams.append(_stream(server, _cut(lines, options.lines), expected=options.lines))
            say(f"  stream: {options.lines / streams[-1].seconds:,.0f} lines/s")
    rows = [
        [
            name,
            figure(options.lines / median([p.seconds for p in passes])),
            figure(median([p.cpu_seconds for p in passes]) / options.lines * 1e6),
            f"{max(p.growth for p in passes) / 2**20:.1f}" if name != "file" else "",
        ]
        for name, passes in (("file", files), ("stream", streams))
    ]
    ratio = median([f.seconds / s.seconds for f, s in zip(files, streams, strict=True)])
    growth = max(stream.growth for stream in streams) / 2**20
    text = (
        f"{options.lines:,} sentences of the vader corpus as JSON lines, by the sentiment model: "
        "`valence score` on a file, and `POST /v1/classify/stream` of a server over one "
        "connection, which sends as fast as the server reads. Each side runs on its own core. "
        "Processor time is that of the command, its start included, and of the server's processes. "
        "Memory growth is the maximum over time of the growth of all processes of the server."
    )
    return Section(
        "Bulk",
        text,
        [Table(["", "lines/s", "us of processor time a line", "memory growth, MiB"], rows)],
        [
            Goal("lines/s of the stream over those of the file", 0.7, ratio),
            Goal("memory growth of the server", 50.0, growth, unit="MiB", at_least=False),
        ],
    )


def _cut(lines: Sequence[bytes], count: int) -> Iterator[bytes]:
    """Yield ``count`` lines in chunks of several lines."""
    position = 0
    for start in range(0, count, _SEND_LINES):
        size = min(_SEND_LINES, count - start)
        yield b"".join(lines[(position + index) % len(lines)] for index in range(size))
        position += size


def _score_file(path: Path, out: Path) -> _Pass:
    before = os.times()
    started = time.perf_counter()
    affinity = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {server_cpu()})
    try:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "valence.service.score",
                str(path),
                str(out),
                "--text-column",
                "text",
            ],
            check=True,
            capture_output=True,
        )
    except subprocess.CalledProcessError as error:
        raise BenchError(f"valence.service.score failed: {error.stderr.decode()[-500:]}") from None
    finally:
        os.sched_setaffinity(0, affinity)
    seconds = time.perf_counter() - started
    after = os.times()
    used = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return _Pass(seconds, used)


def _stream(server: Server, pieces: Iterator[bytes], *, expected: int) -> _Pass:
    affinity = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {generator_cpu()})
    pids = server.pids()
    before = sum(part.rss for part in server.memory())
    highest = before
    cpu = cpu_seconds(pids)
    started = looked = time.perf_counter()
    answered = errors = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        sender = threading.Thread(target=_send, args=(connection, pieces), daemon=True)
        sender.start()
        head = connection.recv(1 << 16)
        if not head.startswith(b"HTTP/1.1 200"):
            raise BenchError(f"the stream was refused: {head[:200]!r}")
        answered += head.count(b'{"line":')
        while data := connection.recv(1 << 18):
            # every answered line has a number; a text is never repeated, so numbers cannot come
            # from texts
            answered += data.count(b'{"line":')
            errors += data.count(b'"error":')
            if time.perf_counter() - looked > _LOOK_SECONDS:
                looked = time.perf_counter()
                highest = max(highest, sum(part.rss for part in server.memory()))
        sender.join(60)
    seconds = time.perf_counter() - started
    os.sched_setaffinity(0, affinity)
    # the end of a received chunk may cut a marker
    if errors or not 0.99 * expected <= answered <= expected:
        raise BenchError(f"{answered} of {expected} lines were answered, {errors} with an error")
    return _Pass(seconds, cpu_seconds(pids) - cpu, highest - before)


def _send(connection: socket.socket, pieces: Iterator[bytes]) -> None:
    connection.sendall(_HEAD)
    for piece in pieces:
        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    connection.sendall(b"0\r\n\r\n")
