"""``valence bento``: ``bentoml build`` with the models that are served here.

``bentoml build`` knows the latest version of a model and not its champion, so the tags are put into
a copy of the file: those that a server started now would serve.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from valence.service.errors import ValenceError
from valence.service.registry import models
from valence.service.settings import Settings

FILE = Path("bentofile.yaml")


def described(settings: Settings) -> str:
    """``bentofile.yaml`` with the models of ``settings``, by version.

    Raises :class:`ConfigurationError` as :func:`valence.service.registry.models.folders` does.
    """
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    folders = models.folders(settings)
    content["models"] = [f"{folder.parent.name}:{folder.name}" for folder in folders]
    if settings.models:
        names = ",".join(folder.parent.name for folder in folders)
        content["envs"].append({"name": "VALENCE_MODELS", "value": names})
    made: str = yaml.safe_dump(content, sort_keys=False)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Build it; an error is one line, and the exit code is that of ``bentoml build``.

    Arguments are handed on to that.
    """
    try:
        content = described(Settings.from_environment(os.environ))
    except ValenceError as error:
        sys.exit(f"error: {error}")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / FILE
        path.write_text(content, encoding="utf-8")
        build = [sys.executable, "-m", "bentoml", "build", "--bentofile", str(path)]
        command = [*build, *(sys.argv[1:] if arguments is None else arguments), os.curdir]
        sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - all ours


if __name__ == "__main__":
    main()
