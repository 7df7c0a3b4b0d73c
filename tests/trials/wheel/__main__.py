"""Build the wheel twice for each Python of this machine, and try it in new environments.

    python -m tests.trials.wheel [--model FOLDER] [--only 3.12] [--builds 1]

It needs a compiler and a package index, and takes about a minute for each Python.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from pathlib import Path

from tests.support.tiny_models import save_tiny_model
from tests.trials.bench.measure import say
from tests.trials.wheel.installation import (
    VERSIONS,
    build_wheel,
    copy_sources,
    find_pythons,
    list_names,
    try_wheel,
)


def main() -> int:
    """Print a line for each Python; return 1 if two builds of the same sources differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.wheel", description=__doc__)
    parser.add_argument("--model", type=Path, help="folder of a model; default: a tiny one")
    parser.add_argument("--only", choices=VERSIONS, nargs="*", default=VERSIONS, help="Pythons")
    parser.add_argument("--builds", type=int, default=2, help="wheels of each Python to compare")
    arguments = parser.parse_args()
    pythons = find_pythons()
    failed = False
    with tempfile.TemporaryDirectory(prefix="valence-wheel-") as scratch:
        base = Path(scratch)
        model = (arguments.model or save_tiny_model(base / "model")).resolve()
        for version in arguments.only:
            if version not in pythons:
                say(f"{version}: not on this machine")
                continue
            python = pythons[version]
            started = time.monotonic()
            # all copies before the first build, which takes long enough for somebody to edit a file
            copies = [
                copy_sources(base / f"{version}-{number}") for number in range(arguments.builds)
            ]
            wheels = [build_wheel(copy, python) for copy in copies]
            seconds = (time.monotonic() - started) / arguments.builds
            sums = {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels}
            failed |= len(sums) > 1
            tried = try_wheel(wheels[0], python, model, base / f"environment-{version}")
            say(
                f"{version}: {wheels[0].name}, {wheels[0].stat().st_size / 2**20:.2f} MiB, "
                f"{arguments.builds} builds, {len(sums)} different; "
                f"built in {seconds:.1f} s, installed in {tried.install_seconds:.1f} s, "
                f"first label ({tried.label}, {tried.engine}) in {tried.answer_seconds:.2f} s; "
                f"names: {', '.join(sorted(list_names(wheels[0])))}; "
                f"packages: {', '.join(tried.packages)}"
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
