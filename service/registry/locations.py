"""Where a model lies on this machine: a folder, or a version in a model store.

BentoML's model store is read as files here, so that a program needs no BentoML to find a model.
"""

from __future__ import annotations

import os
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.registry import aliases
from valence.service.registry.names import describe_unknown
from valence.service.registry.tag import Tag

STORE_VARIABLE = "BENTOML_HOME"
_WORKSPACE_STORE = Path(".valence", "bentoml")
_HOME_STORE = Path("bentoml")
_LATEST = "latest"


def find_store() -> Path:
    """The model store: ``BENTOML_HOME``, or the store in ``.valence``, or BentoML's in the home.

    That is the order of the commands of Valence, whose store is ``.valence/bentoml`` of the current
    folder.
    """
    named = os.environ.get(STORE_VARIABLE)
    if named:
        return Path(named)
    workspace = Path.cwd() / _WORKSPACE_STORE
    return workspace if workspace.is_dir() else Path.home() / _HOME_STORE


def find_model(source: str | os.PathLike[str]) -> Path:
    """The folder of ``source``: a folder, or a tag of the model store.

    A tag is ``name``, ``name:version`` or ``name@alias``.

    A string is the path of a folder if it has a separator (``./sentiment``) or begins with ``.`` or
    ``~``. A bare name means the champion, or the latest version if none was promoted. Raises
    :class:`ConfigurationError` for a model that is not there.
    """
    if isinstance(source, str) and not _is_path(source):
        return _find_version(source, find_store() / "models")
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a folder; give the folder of a model")
    return folder


def is_remote(source: str) -> bool:
    """Whether ``source`` is the address of a source of models, or a URL."""
    return source.startswith("hf:") or "://" in source


def _is_path(source: str) -> bool:
    separators = {os.sep, os.altsep or os.sep, "/"}
    return source.startswith((".", "~")) or any(mark in source for mark in separators)


def _find_version(tag: str, store: Path) -> Path:
    name, version, alias = Tag.parse(tag)
    versions = store / name
    if not name or not versions.is_dir():
        held = [path.name for path in store.iterdir() if path.is_dir()] if store.is_dir() else []
        here = f"; the folder is ./{tag}" if name and Path(tag).is_dir() else ""
        raise ConfigurationError(
            f"{describe_unknown(tag, held)} (the store is {store}){here}; train the model with "
            f"`valence train`, give the path of its folder, or set {STORE_VARIABLE}"
        )
    if not version:
        version = aliases.find_version(versions, alias) or _LATEST
    if version == _LATEST:
        version = _read_latest(versions)
    folder = versions / version
    if not folder.is_dir():
        held = [path.name for path in versions.iterdir() if path.is_dir()]
        raise ConfigurationError(
            f"the model store has no version {version!r} of {name}; it has "
            f"{', '.join(sorted(held)) or 'none'}"
        )
    return folder


def _read_latest(versions: Path) -> str:
    path = versions / _LATEST
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{path} cannot be read, so the latest version is not known; name a version: "
            f"{versions.name}:VERSION"
        ) from None
