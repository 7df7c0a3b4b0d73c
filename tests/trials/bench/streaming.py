"""Training on a file larger than memory: its peak memory."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from pathlib import Path

from tests.trials.bench import texts
from tests.trials.bench.measure import Options, say
from tests.trials.bench.processes import BenchError
from tests.trials.bench.report import Goal, Section, Table, figure
from tests.trials.bench.training import trained

_STEPS = 200
_MOST_SECONDS = 3600
_GIGABYTE = 10**9
_MOST_GIGABYTES = 1.5
_BLOCK = 16 * 2**20
_HALVES = 5_000

_CONFIGURATION = """\
name = "bench"
labels = ["even", "odd"]

[data]
files = ["{path}"]
streamed = true

[words]
vectors = ""
learned_size = 64

[optimization]
steps = {steps}
"""


def run(options: Options) -> Section:
    """Generate the file, train on it, and read the peak memory of all processes of the command."""
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
        _, manifest = trained(
            _CONFIGURATION.format(path=path, steps=_STEPS),
            scratch,
            threads=len(os.sched_getaffinity(0)),
            most_seconds=_MOST_SECONDS,
        )
    told = manifest.training
    peak = told.peak_memory_bytes
    table = Table(
        ["file, GB", "texts", "steps", "seconds", "peak memory, MiB"],
        [
            [
                f"{options.gigabytes:g}",
                f"{lines:,}",
                str(_STEPS),
                figure(told.seconds),
                figure(peak / 2**20),
            ]
        ],
    )
    text = (
        "`valence train` on generated JSON lines of 6 to 60 words; checks, vocabulary, "
        "calibration and evaluation are included. Time and peak memory are those that the command "
        "itself records."
    )
    goal = Goal(
        f"{options.gigabytes:g} GB: peak memory",
        _MOST_GIGABYTES * 1000,
        peak / 1e6,
        unit=" MB",
        at_least=False,
    )
    return Section("Data larger than memory", text, [table], [goal])


def _generate(path: Path, size: int) -> int:
    """Fill ``path`` with ``size`` bytes of labelled texts, and return the number of texts."""
    chance = random.Random(0)
    words = sorted({word for text in texts.sentences(2_000) for word in text.split()})

    def some_words() -> tuple[str, int]:
        length = chance.randint(3, 30)
        return json.dumps(" ".join(chance.choices(words, k=length)))[1:-1], length

    # Each text joins two halves: few texts are near-duplicates, and writing a text takes a
    # microsecond. The number before the halves makes all texts different, so that none is dropped.
    openings = [f" {part} ".encode() for part, _ in (some_words() for _ in range(_HALVES))]
    endings = [
        f'{part}", "label": "{("even", "odd")[length % 2]}"}}\n'.encode()
        for part, length in (some_words() for _ in range(_HALVES))
    ]
    lines = written = 0
    with path.open("wb") as file:
        while written < size:
            block = bytearray()
            while len(block) < _BLOCK and written + len(block) < size:
                block += b'{"text": "%x' % lines
                block += chance.choice(openings)
                block += chance.choice(endings)
                lines += 1
            file.write(block)
            written += len(block)
    return lines
