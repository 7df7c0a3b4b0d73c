"""Training: tokens per second and peak memory, as the training command itself reports them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from valence.service.classifier import artifact
from valence.service.classifier.manifest import Manifest

from tests.trials.bench import texts
from tests.trials.bench.measure import Options, median, say
from tests.trials.bench.processes import BenchError
from tests.trials.bench.report import Section, Table, figure

_SECONDS = 600
_SPEED = re.compile(r"epoch .* ([\d,]+) tokens/s")

_CONFIGURATION = """\
name = "bench"
labels = ["negative", "neutral", "positive"]
data = {{ corpora = ["vader"] }}
network = {{ hidden_size = {hidden} }}
optimization = {{ epochs = {epochs} }}
"""


def run(options: Options) -> Section:
    """Train the default network, and a wider one, on one corpus for a few epochs."""
    cores = len(os.sched_getaffinity(0))
    rows = []
    for hidden, threads in ((128, 1), (128, cores), (256, cores)):
        say(f"  H = {hidden}, {threads} threads")
        speeds, peak = _train(hidden=hidden, threads=threads, epochs=min(options.rounds, 2))
        rows.append([f"H = {hidden}", str(threads), figure(median(speeds)), figure(peak / 2**20)])
    table = Table(["network", "threads", "tokens/s", "peak memory, MiB"], rows)
    text = (
        "`valence train` on the vader corpus with the default configuration: the speed "
        "of the median epoch, forward and backward, and the peak of the whole command, corpora and "
        "calibration included."
    )
    return Section("Training", text, [table])


def _train(*, hidden: int, threads: int, epochs: int) -> tuple[Sequence[float], int]:
    with tempfile.TemporaryDirectory() as folder:
        configuration = _CONFIGURATION.format(hidden=hidden, epochs=epochs)
        said, manifest = trained(
            configuration, Path(folder), threads=threads, most_seconds=_SECONDS
        )
    speeds = [float(found.replace(",", "")) for found in _SPEED.findall(said)]
    if not speeds:
        raise BenchError(f"training told no speed:\n{said[-2000:]}")
    return speeds, manifest.training.peak_memory_bytes


def trained(
    configuration: str, scratch: Path, *, threads: int, most_seconds: float
) -> tuple[str, Manifest]:
    """Train ``configuration`` in ``scratch``; return the command's output and its record.

    The model is called ``bench``. Raises :class:`BenchError` if the training fails.
    """
    (scratch / "workspace").mkdir()
    (scratch / "workspace" / "corpora").symlink_to(texts.CACHE.absolute())
    path = scratch / "bench.toml"
    path.write_text(configuration, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "valence.training", "train", str(path), "--no-baselines",
         "--device", "cpu", "--workspace", str(scratch / "workspace")],
        env={
            **os.environ,
            "BENTOML_HOME": str(scratch / "home"),
            "OMP_NUM_THREADS": str(threads),
        },
        capture_output=True,
        text=True,
        timeout=most_seconds,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"training failed:\n{done.stderr[-2000:]}")
    store = scratch / "home" / "models" / "bench"
    folder_of_model = store / (store / "latest").read_text(encoding="utf-8").strip()
    return done.stderr, artifact.load(folder_of_model).manifest
