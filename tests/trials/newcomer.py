"""The minutes of a new user: ``python -m tests.trials.newcomer WHEEL MODEL``.

Three times from nothing, each in an environment of its own, with what a user types:

1. a first answer of a finished model;
2. a model of one's own, of 1,200 made reviews, which answers over HTTP;
3. a column of pandas that is labelled.

``WHEEL`` is what ``make wheel`` has built, ``MODEL`` the folder of a trained model. It needs a
package index, and no compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from examples.made_data import write_reviews
from tests.trials.bench.measure import say

FIRST = "import sys, valence; print(valence.load(sys.argv[1])(['Great'])[0]['label'])"
COLUMN = """
import sys, pandas, valence
frame = pandas.DataFrame({"review": ["I loved it.", "It broke."] * 500})
frame["label"] = valence.load(sys.argv[1]).predict(frame["review"])
print(frame["label"].value_counts().to_dict())
"""
TRAIN = ("train", "reviews.csv", "--text", "review", "--label", "label", "--quality", "fast")
PORT = 3471


class Newcomer:
    """A user in an empty folder, who has Python and a package index."""

    def __init__(self, folder: Path, python: str) -> None:
        folder.mkdir()
        self.folder = folder
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("PIP_", "SSL_", "REQUESTS_", "HTTP", "LANG"))
            or name.lower().endswith("_proxy")
        } | {"PATH": f"{folder / 'bin'}{os.pathsep}/usr/bin:/bin", "HOME": str(folder)}
        self.call(python, "-m", "venv", folder)

    def call(self, *command: object) -> str:
        """What a command prints; an error if it fails."""
        done = subprocess.run(
            list(map(str, command)),
            env=self._environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
        return done.stdout.strip()

    def install(self, *packages: object) -> None:
        """Install packages as pip finds them, nothing built from sources."""
        options = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:")
        self.call("bin/pip", "install", *options, *packages)

    @contextmanager
    def serve(self, model: str) -> Iterator[str]:
        """The address of a server that the command of users has started."""
        with (self.folder / "serve.log").open("w") as log:
            server = subprocess.Popen(
                ["bin/valence", "serve", "--model", model, "--port", str(PORT)],
                env=self._environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
            try:
                yield f"http://127.0.0.1:{PORT}"
            finally:
                server.terminate()
                server.wait(60)


def classify(url: str, seconds: float) -> Any:
    """The first answer of a server, asked again until it has started."""
    body = json.dumps({"text": "The cake was lovely."}).encode()
    request = urllib.request.Request(
        f"{url}/v1/classify", body, {"content-type": "application/json"}
    )
    ended = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            if time.monotonic() > ended:
                raise
            time.sleep(0.1)


def main() -> None:
    """Print the seconds of each step."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.newcomer", description=__doc__)
    parser.add_argument("wheel", type=Path, help="built by `make wheel`")
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument("--python", default=sys.executable, help="of the wheel's version")
    arguments = parser.parse_args()
    wheel, model = arguments.wheel.resolve(), arguments.model.resolve()
    with tempfile.TemporaryDirectory(prefix="valence-newcomer-") as scratch:
        base = Path(scratch)

        started = time.monotonic()
        user = Newcomer(base / "first", arguments.python)
        user.install(wheel)
        installed = time.monotonic()
        label = user.call("bin/python", "-c", FIRST, model)
        ended = time.monotonic()
        say(
            f"first answer ({label}): {ended - started:.1f} s, "
            f"{installed - started:.1f} of them to install"
        )

        started = time.monotonic()
        user = Newcomer(base / "column", arguments.python)
        user.install(wheel, "pandas")
        installed = time.monotonic()
        labels = user.call("bin/python", "-c", COLUMN, model)
        ended = time.monotonic()
        say(
            f"a column of 1,000 texts ({labels}): {ended - started:.1f} s, "
            f"{installed - started:.1f} of them to install"
        )

        started = time.monotonic()
        user = Newcomer(base / "own", arguments.python)
        user.install(f"{wheel}[train]")
        write_reviews(user.folder / "reviews.csv", 1_200)
        installed = time.monotonic()
        user.call("bin/valence", *TRAIN)
        trained = time.monotonic()
        with user.serve("reviews") as url:
            answer = classify(url, 120)
            ended = time.monotonic()
        say(
            f"own model served ({answer['label']}): {ended - started:.1f} s, "
            f"{installed - started:.1f} of them to install, {trained - installed:.1f} to train"
        )


if __name__ == "__main__":
    main()
