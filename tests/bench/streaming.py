"""Training on a file larger than memory: the most memory that it takes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.bench import texts
from tests.bench.measure import Options, say
from tests.bench.processes import BenchError
from tests.bench.report import Goal, Section, Table, figure

_STEPS = 200
_LOOK_SECONDS = 0.2
_MOST_SECONDS = 3600
_GIGABYTE = 10**9
_MOST_GIGABYTES = 1.5
_BLOCK = 16 * 2**20

_CONFIGURATION = """\
name = "streamed"
labels = ["even", "odd"]

[data]
files = ["{path}"]
streamed = true

[words]
vectors = "none"
learned_size = 64

[optimization]
steps = {steps}
"""


def run(options: Options) -> Section:
    """Generate the file, train on it, and look at the memory of all of the command's processes."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        wanted = int(options.gigabytes * _GIGABYTE)
        if shutil.disk_usage(scratch).free < 2 * wanted:
            raise BenchError(
                f"{scratch} has no room for {options.gigabytes:g} GB; name another folder by "
                "TMPDIR, or less by GIGABYTES=1"
            )
        path = scratch / "generated.jsonl"
        say(f"  writing {options.gigabytes:g} GB")
        lines = _generate(path, wanted)
        say(f"  training {_STEPS} steps")
        seconds, peak = _train(scratch, path)
    table = Table(
        ["file, GB", "texts", "steps", "seconds", "peak memory, MiB"],
        [[f"{options.gigabytes:g}", f"{lines:,}", str(_STEPS), figure(seconds), figure(peak)]],
    )
    text = (
        "`python -m training train` on generated JSON lines of 5 to 60 words, checks, vocabulary, "
        "calibration and evaluation included. The memory is the proportional set size of all of "
        f"its processes, looked at every {_LOOK_SECONDS:g} seconds: shared pages once, the file's "
        "pages in the kernel's cache not."
    )
    goal = Goal(
        f"{options.gigabytes:g} GB: peak memory",
        _MOST_GIGABYTES * 1000,
        peak * 2**20 / 1e6,
        unit=" MB",
        at_least=False,
    )
    return Section("Data larger than memory", text, [table], [goal])


def _generate(path: Path, size: int) -> int:
    """Fill ``path`` with ``size`` bytes of labelled texts, and say how many they are."""
    chance = random.Random(0)
    words = sorted({word for text in texts.sentences(2_000) for word in text.split()})
    lines = written = 0
    with path.open("wb") as file:
        while written < size:
            block = bytearray()
            while len(block) < _BLOCK and written + len(block) < size:
                length = chance.randint(5, 60)
                # no two texts are alike, so that none is dropped for it
                text = f"{lines:x} " + " ".join(chance.choices(words, k=length))
                label = "odd" if length % 2 else "even"
                block += json.dumps({"text": text, "label": label}).encode() + b"\n"
                lines += 1
            file.write(block)
            written += len(block)
    return lines


def _train(scratch: Path, path: Path) -> tuple[float, float]:
    """Seconds of the whole command, and the peak of its memory in MiB."""
    configuration = scratch / "streamed.toml"
    configuration.write_text(_CONFIGURATION.format(path=path, steps=_STEPS), encoding="utf-8")
    log = scratch / "log"
    started = time.perf_counter()
    with log.open("wb") as output:
        command = subprocess.Popen(
            [sys.executable, "-m", "training", "train", str(configuration), "--no-baselines",
             "--device", "cpu", "--workspace", str(scratch / "workspace")],
            env={**os.environ, "BENTOML_HOME": str(scratch / "home")},
            stdout=output,
            stderr=output,
        )  # fmt: skip
        peak = 0
        try:
            while command.poll() is None:
                peak = max(peak, sum(_sizes(command.pid)))
                if time.perf_counter() - started > _MOST_SECONDS:
                    raise BenchError(f"training took more than {_MOST_SECONDS} s")
                time.sleep(_LOOK_SECONDS)
        finally:
            command.kill()
            command.wait()
    if command.returncode:
        raise BenchError(f"training failed:\n{log.read_text(encoding='utf-8')[-2000:]}")
    return time.perf_counter() - started, peak / 2**20


def _sizes(pid: int) -> Iterator[int]:
    """The proportional set size of a process and of each that it started, in bytes."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                yield process.memory_full_info().pss
