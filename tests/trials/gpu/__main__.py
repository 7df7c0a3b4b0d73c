"""``make gpu-check``: what the first GPU of this machine does with the network, in eight minutes.

Agreement of the engine ``cuda`` with the reference, texts per second by batch beside other means of
torch, shares of the limits of the GPU, and the speed of training, into ``docs/measured/gpu.md``.
The weights are random; no network, store or data is needed. Each part is a process with a time
limit; what it measured before its limit is kept. Without a GPU, one line says so, and the exit
code is 0. It is 1 if the engine does not agree or a part failed. ``--device cpu`` tries the check
itself on the processor, and writes no page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from tests.trials.bench.measure import say
from tests.trials.gpu import measurements, report
from tests.trials.gpu.measurements import Row, Scale, agrees

MOST_SECONDS = 470.0
_Part = Callable[[torch.device, Scale], Iterator[Row]]
# with the seconds that each may take, imports and compilers included
PARTS: Mapping[str, tuple[_Part, float]] = {
    "limits": (measurements.measure_limits, 50.0),
    "agreement": (measurements.measure_agreement, 70.0),
    "training": (measurements.measure_training, 110.0),
    "speed": (measurements.measure_speed, 230.0),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--part", choices=PARTS, help="measure one part and print its rows as JSON")
    asked = parser.parse_args(arguments)
    if asked.device == "cuda" and not torch.cuda.is_available():
        say("skipped: torch finds no GPU here (torch.cuda.is_available() is false)")
        return 0
    device = torch.device(asked.device)
    if asked.part:
        for row in PARTS[asked.part][0](device, measurements.find_scale(device)):
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
        return 0
    budgets = {name: seconds for name, (_, seconds) in PARTS.items()}
    command = [sys.executable, "-m", "tests.trials.gpu", "--device", asked.device, "--part"]
    found, faults = run_parts(command, budgets, most_seconds=MOST_SECONDS)
    faults += ["the engine does not agree" for row in found.get("agreement", ()) if not agrees(row)]
    content = report.draw(found, faults, stand_in=device.type != "cuda")
    sys.stdout.write(content + "\n")
    if device.type == "cuda":
        report.write(content)
    return int(bool(faults))


def run_parts(
    command: Sequence[str], budgets: Mapping[str, float], *, most_seconds: float
) -> tuple[dict[str, list[Row]], list[str]]:
    """Run ``command`` with each part of ``budgets``; return the rows by part, and the faults.

    A part ends after its seconds, and all of them after ``most_seconds``.
    """
    found: dict[str, list[Row]] = {}
    faults = []
    started = time.perf_counter()
    for name, budget in budgets.items():
        seconds = min(budget, most_seconds - (time.perf_counter() - started))
        if seconds <= 0:
            faults.append(f"no time was left for the part {name}")
            continue
        say(f"{name}: at most {seconds:.0f} s")
        try:
            done = subprocess.run(
                [*command, name], stdout=subprocess.PIPE, timeout=seconds, check=False
            )
            output = done.stdout
            if done.returncode:
                faults.append(f"the part {name} ended with {done.returncode}")
        except subprocess.TimeoutExpired as error:
            output = error.stdout or b""
            faults.append(f"the part {name} was stopped after {seconds:.0f} s")
        # a process that was stopped may leave half a line
        whole = output[: output.rfind(b"\n") + 1].decode()
        found[name] = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
    return found, faults


if __name__ == "__main__":
    sys.exit(main())
