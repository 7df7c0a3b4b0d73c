"""Build the image and run it on this machine as a cluster would: ``make smoke-image``.

It takes about ten minutes on two cores. ``--only`` names parts, ``--image`` the image. All parts
except the build need an image that is already built.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.trials.bench.measure import say
from tests.trials.chaos.finding import Finding, markdown, publish
from tests.trials.smoke import contents, kube, limits, machine, memory

PAGE = Path("docs/operations/image.md")
PARTS: dict[str, Callable[[str], Iterator[Finding]]] = {
    "contents": contents.run,
    "limits": limits.run,
    "memory": memory.run,
    "kube": kube.run,
}
_INTRODUCTION = """\
# The image, tried

Written by `make smoke-image`; do not edit. The real Dockerfile is built, and podman runs it. The
first column is the reason for the trial; [the image](kubernetes.md#the-image) describes what is in
it.
"""


def main() -> int:
    """Run the parts and print the table; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.smoke", description=__doc__)
    parser.add_argument("--only", help=f"parts, separated by commas: {', '.join(PARTS)}")
    parser.add_argument("--image", default="localhost/valence:smoke", help="its name")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}")
    missing = machine.missing()
    if missing:
        say(f"skipped: no {', '.join(missing)} here; tests/trials/smoke/install.sh installs them")
        return 0
    findings: list[Finding] = []
    try:
        with tempfile.TemporaryDirectory(prefix="valence-smoke-") as scratch:
            machine.prepare(Path(scratch))
            for name in names:
                of_part = []
                for finding in PARTS[name](arguments.image):
                    of_part.append(finding)
                    say(f"{finding.fault}: {'held' if finding.held else 'BROKEN'}: {finding.lost}")
                publish(name, of_part, PAGE, introduction=_INTRODUCTION)
                findings += of_part
    except (machine.SmokeError, subprocess.SubprocessError) as error:
        say(f"failed: {error}")
        return 1
    sys.stdout.write(markdown(findings))
    return int(not all(finding.held for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
