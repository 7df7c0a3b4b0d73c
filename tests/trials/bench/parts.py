"""The parts of the benchmarks, each a module with ``run(options) -> Section``."""

from __future__ import annotations

import importlib
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from tests.trials.bench.measure import Options
from tests.trials.bench.report import Section

PARTS = {
    "inprocess": "tests.trials.bench.in_process",
    "http": "tests.trials.bench.over_http",
    "peers": "tests.trials.bench.accuracy_cost",
    "start": "tests.trials.bench.start",
    "memory": "tests.trials.bench.memory",
    "growth": "tests.trials.bench.growth",
    "agreement": "tests.trials.bench.agreement",
    "path": "tests.trials.bench.request_path",
    "explain": "tests.trials.bench.explanations",
    "bulk": "tests.trials.bench.bulk",
    "cores": "tests.trials.bench.cores",
    "engines": "tests.trials.bench.engines",
    "training": "tests.trials.bench.training",
    "streaming": "tests.trials.bench.streaming",
    "revision": "tests.trials.bench.revision",
    "reload": "tests.trials.bench.reload",
    "grpc": "tests.trials.bench.calls",
}
# run only on request: one part writes 10 GB, one needs a revision to compare with, two need
# MLServer in an environment of its own, and one Ray, Spark and Java
ASKED_FOR = ("streaming", "revision", "reload", "grpc", "engines")


def run(part: str, options: Options) -> Section:
    """Run a part in a fresh process, so that no part finds the memory of another."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run, part, options).result()


def _run(part: str, options: Options) -> Section:
    # one thread each, like many workers on one node; libraries read these variables at import
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    section: Section = importlib.import_module(PARTS[part]).run(options)
    return section
