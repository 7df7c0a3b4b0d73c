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


def ask_first(user: Newcomer, wheel: Path, model: Path) -> Iterator[tuple[str, str]]:
    """A first answer of a finished model."""
    user.install(wheel)
    yield "install", ""
    yield "first answer", user.call("bin/python", "-c", FIRST, model)


def label_column(user: Newcomer, wheel: Path, model: Path) -> Iterator[tuple[str, str]]:
    """A column of pandas with 1,000 texts."""
    user.install(wheel, "pandas")
    yield "install", ""
    yield "a column of 1,000 texts", user.call("bin/python", "-c", COLUMN, model)


def serve_own(user: Newcomer, wheel: Path, _model: Path) -> Iterator[tuple[str, str]]:
    """A model of one's own, of 1,200 reviews, that answers over HTTP."""
    user.install(f"{wheel}[train]")
    yield "install", ""
    write_reviews(user.folder / "reviews.csv", 1_200)
    user.call("bin/valence", *TRAIN)
    yield "train", ""
    with user.serve("reviews") as url:
        yield "own model served", classify(url, 120)["results"][0]["label"]


AIMS = {"first": ask_first, "column": label_column, "own": serve_own}


def main() -> None:
    """Print the seconds from nothing to each step."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.newcomer", description=__doc__)
    parser.add_argument("wheel", type=Path, help="built by `make wheel`")
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument("--python", default=sys.executable, help="of the wheel's version")
    parser.add_argument("--only", nargs="*", choices=AIMS, default=list(AIMS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="valence-newcomer-") as scratch:
        for aim in arguments.only:
            started = time.monotonic()
            user = Newcomer(Path(scratch) / aim, arguments.python)
            steps = AIMS[aim](user, arguments.wheel.resolve(), arguments.model.resolve())
            for step, answer in steps:
                say(f"{aim}: {step} after {time.monotonic() - started:.1f} s {answer}")


if __name__ == "__main__":
    main()
