from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

WORK = """
import sys
from pathlib import Path
from valence.training.experiments.search.processes import join_processes
with join_processes(Path(sys.argv[1])) as processes:
    for trial in sys.argv[2:]:
        processes.claim(int(trial))
    print("working", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that has another process work on a study, and on a trial of it."""
    with ExitStack() as stack:

        def start(study: Path, trial: int | None = None) -> subprocess.Popen[str]:
            trials = [] if trial is None else [str(trial)]
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", WORK, str(study), *trials],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "working\n"
            return process

        yield start
