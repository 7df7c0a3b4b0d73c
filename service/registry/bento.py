"""``valence bento``: ``bentoml build`` with the packages and the models that are served here.

In the repository the packages are in folders of other names, so they are laid out in a temporary
folder under the names that they are imported by. ``bentoml build`` knows the latest version of a
model and not its champion, so ``bentofile.yaml`` gets the tags there that a server started now
would serve.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import valence
import yaml  # type: ignore[import-untyped]
from valence import service
from valence.service.errors import ConfigurationError
from valence.service.files.failures import exit_in_one_line
from valence.service.registry import models
from valence.service.registry.address import Address
from valence.service.settings import Settings

FILE = Path("bentofile.yaml")
REQUIREMENTS = Path("requirements", "runtime.txt")


def render_bentofile(settings: Settings) -> str:
    """``bentofile.yaml`` with the models of ``settings``, by version.

    With a source of models it has none: the service gets them from there when it starts.

    Raises :class:`ConfigurationError` as :func:`valence.service.registry.models.folders` does, and
    if the current folder has no ``bentofile.yaml``.
    """
    if not FILE.is_file():
        raise ConfigurationError(f"{Path.cwd()} has no {FILE}; run this in a clone of Valence")
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    if settings.model_source:
        source = str(Address.parse(settings.model_source))
        content["envs"].append({"name": "VALENCE_MODEL_SOURCE", "value": source})
        content["models"], names = [], ",".join(settings.models)
    else:
        folders = models.folders(settings)
        content["models"] = [f"{folder.parent.name}:{folder.name}" for folder in folders]
        names = ",".join(folder.parent.name for folder in folders)
    if settings.models:
        content["envs"].append({"name": "VALENCE_MODELS", "value": names})
    text: str = yaml.safe_dump(content, sort_keys=False)
    return text


def lay_out_context(content: str, context: Path) -> None:
    """Fill the empty folder ``context`` with what ``bentoml build`` reads.

    These are ``content`` as ``bentofile.yaml``, the requirements under the name that it gives, and
    the packages ``valence`` and ``valence.service``, wherever they are installed.
    """
    (context / FILE).write_text(content, encoding="utf-8")
    requirements = yaml.safe_load(content)["python"]["requirements_txt"]
    shutil.copyfile(REQUIREMENTS, context / requirements)
    (root,), (package,) = valence.__path__, service.__path__
    destination = context / "valence"
    destination.mkdir()
    for name in ("__init__.py", "py.typed"):
        shutil.copyfile(Path(root, name), destination / name)
    # in the repository, the folder of `valence` itself is in that of `valence.service`
    ignore = shutil.ignore_patterns("__pycache__", "python", "*.cpp", "*.h")
    shutil.copytree(package, destination / "service", ignore=ignore)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the bento, and exit with the code of ``bentoml build``; an error is one line.

    ``arguments``, by default those of this process, are handed on to ``bentoml build``.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    with exit_in_one_line(), tempfile.TemporaryDirectory() as temporary:
        content = render_bentofile(Settings.from_environment(os.environ))
        lay_out_context(content, Path(temporary))
        command = [sys.executable, "-m", "bentoml", "build", *arguments, temporary]
        # BentoML refuses files outside of the current folder; no shell reads the command
        sys.exit(subprocess.run(command, cwd=temporary, check=False).returncode)  # noqa: S603


if __name__ == "__main__":
    main()
