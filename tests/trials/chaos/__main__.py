"""Break the service in every known way, and count what is lost: ``make chaos``.

It takes about half an hour on two cores. ``--only`` names parts, ``--share`` runs a share of each.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.trials.bench.measure import say
from tests.trials.chaos import (
    fuzz,
    hung,
    keys,
    linger,
    overload,
    probes,
    ramp,
    restarts,
    shadow,
    slow,
    soak,
    steps,
    swap,
    unread_log,
    worst,
)
from tests.trials.chaos.finding import Finding, markdown, publish
from tests.trials.chaos.served import count_workers

PAGE = Path("docs/measured/faults.md")
# A worker keeps the lines of some 4,000 requests until the log takes them.
_LOGGED = 8_000 * count_workers()
PARTS: dict[str, Callable[[float], Iterator[Finding]]] = {
    "overload": lambda share: overload.run(seconds=60 * share),
    "restarts": lambda share: restarts.run(times=max(2, int(20 * share))),
    "log": lambda share: unread_log.run(requests=max(_LOGGED, int(20_000 * share))),
    "hung": lambda share: hung.run(times=max(1, int(5 * share))),
    "keys": lambda share: keys.run(times=max(1, int(10 * share))),
    "slow": lambda share: slow.run(clients=max(10, int(500 * share))),
    "linger": lambda share: linger.run(
        clients=max(24, int(768 * share)), seconds=max(2.0, 8 * share)
    ),
    "probes": lambda share: probes.run(
        clients=max(24, int(1_536 * share)), seconds=max(4.0, 20 * share)
    ),
    "ramp": lambda share: ramp.run(seconds=max(20.0, 80 * share)),
    "fuzz": lambda share: fuzz.run(requests=int(10_000 * share), made=int(100_000 * share)),
    "tokenizer": lambda share: fuzz.tokenizer(int(1_000_000 * share)),
    "soak": lambda share: soak.run(requests=int(1_000_000 * share)),
    "swap": lambda share: swap.run(
        swaps=max(10, int(1_000 * share)),
        damaged=max(6, int(100 * share)),
        kills=max(3, int(50 * share)),
    ),
    "shadow": lambda share: shadow.run(seconds=max(2.0, 8 * share)),
    "worst": lambda share: _run_worst(int(_WORST_TRIES * share)),
}
_WORST_TRIES = 1_000


def _run_worst(tries: int) -> Iterator[Finding]:
    yield from worst.run(tries=tries)
    yield from steps.run(tries=tries)


def main() -> int:
    """Run the parts and print the table; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.chaos", description=__doc__)
    parser.add_argument("--only", help=f"parts, separated by commas: {', '.join(PARTS)}")
    parser.add_argument(
        "--share", type=float, default=1.0, help="share of every count and duration"
    )
    parser.add_argument("--tries", type=int, help="how many requests the part worst tries")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown or not 0 < arguments.share <= 1:
        parser.error(f"no part {', '.join(unknown)}" if unknown else "a share is in (0, 1]")
    findings: list[Finding] = []
    cores = os.sched_getaffinity(0)
    for name in names:
        of_part = []
        tries = arguments.tries if name == "worst" else None
        for finding in _run_worst(tries) if tries else PARTS[name](arguments.share):
            of_part.append(finding)
            say(f"{finding.fault}: {'held' if finding.held else 'BROKEN'}: {finding.lost}")
        os.sched_setaffinity(0, cores)
        if arguments.share == 1.0:
            publish(name, of_part, PAGE)
        findings += of_part
    sys.stdout.write(markdown(findings))
    return int(not all(finding.held for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
