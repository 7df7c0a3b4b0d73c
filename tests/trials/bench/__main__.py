"""``make bench``: run the benchmarks and write this processor's page.

The pages are in ``docs/measured/benchmarks``.

python -m tests.trials.bench [--only PART] [--rounds N] [--seconds S] [--lines L] [--gigabytes G]
                      [--against REVISION]
                      [--output FOLDER]

``FOLDER.md``, beside the folder, lists its pages.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.trials.bench import parts, report
from tests.trials.bench.measure import Options, say
from tests.trials.bench.processes import BenchError


def main() -> None:
    """Run the requested parts, each in a fresh process."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.bench", description=__doc__)
    parser.add_argument(
        "--only", choices=parts.PARTS, help="one part; the others keep their figures"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="number of rounds; figures are medians over the rounds",
    )
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="seconds per measurement over HTTP"
    )
    parser.add_argument(
        "--lines", type=int, default=1_000_000, help="lines of the parts bulk, cores and engines"
    )
    parser.add_argument(
        "--gigabytes", type=float, default=10.0, help="file size in the part streaming"
    )
    parser.add_argument("--against", metavar="REVISION", help="for the part revision: A, or A..B")
    parser.add_argument("--output", type=Path, default=Path("docs/measured/benchmarks"))
    arguments = parser.parse_args()
    if (arguments.only == "revision") != (arguments.against is not None):
        parser.error("--only revision and --against REVISION go together")
    options = Options(
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        lines=arguments.lines,
        against=arguments.against,
        gigabytes=arguments.gigabytes,
    )
    everything = [part for part in parts.PARTS if part not in parts.ASKED_FOR]
    for part in [arguments.only] if arguments.only else everything:
        say(f"{part}:")
        started = time.perf_counter()
        section = parts.run(part, options)
        # write each part immediately, so that a later failure loses nothing
        page = arguments.output / report.file_name(*report.find_processor())
        report.write(page, {part: section}, order=list(parts.PARTS))
        report.write_index(arguments.output.with_suffix(".md"), arguments.output)
        for goal in section.goals:
            say(f"  {'met' if goal.met else 'NOT MET'}: {goal.row(part)}")
        say(f"  {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"error: {error}")
