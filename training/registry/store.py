"""Trained classifiers in the BentoML model store, and the aliases of their versions."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import bentoml
from bentoml.exceptions import BentoMLException, NotFound
from valence.service.classifier.manifest import Manifest
from valence.service.errors import ArtifactError
from valence.service.files.atomic_write import write_file
from valence.service.registry import aliases, bento_store, placement
from valence.service.registry.aliases import Alias, Change, How
from valence.service.registry.names import describe_unknown
from valence.service.registry.tag import CHAMPION, Tag


def publish_model(folder: Path, manifest: Manifest) -> str:
    """Copy the artifact in ``folder`` into the store, as its latest version. Returns its tag.

    The artifact appears in the store whole or not at all, even if the process is killed. Raises
    :class:`ArtifactError` if the store holds the version already.
    """
    tag = placement.place_model(folder, manifest)
    serve_version(tag)
    return tag


def serve_version(tag: str) -> None:
    """Make ``name:version`` the latest version, which is served where there is no champion.

    Without the file, BentoML would find the newest version by itself.
    """
    name, _, version = tag.partition(":")
    write_file(bento_store.folder() / name / "latest", version)


def find_model(tag: str) -> Path:
    """The folder of a model.

    ``tag`` is ``name:version``, ``name@alias``, or ``name`` for its champion, else for its latest
    version. Raises :class:`ArtifactError` for a model that the store does not hold.
    """
    try:
        return Path(aliases.get(tag).path)
    except NotFound:
        held = [str(model.tag) for model in bentoml.models.list()]
        raise ArtifactError(
            f"{describe_unknown(tag, held)}; train it with `valence train`"
        ) from None
    except (BentoMLException, ValueError) as error:
        raise ArtifactError(f"{tag!r} is not a model tag: {error}") from None


def list_names() -> list[str]:
    """The names of the models in the store."""
    return sorted(path.parent.name for path in bento_store.folder().glob("*/latest"))


def list_versions(name: str) -> list[str]:
    """The versions of ``name`` in the store, oldest first; empty for an unknown name."""
    try:
        return sorted(str(model.tag.version) for model in bentoml.models.list(name))
    except NotFound:
        return []


def read_champion(name: str) -> Alias | None:
    """The champion of ``name`` with its history; None if there is no champion."""
    return aliases.read(bento_store.folder() / name)


def list_aliases(name: str) -> dict[str, Alias]:
    """The aliases of ``name``, the champion among them, in the order of their names.

    Raises :class:`ArtifactError` for a model that the store does not hold.
    """
    folder = _find_versions(name)
    found = {alias: aliases.read(folder, alias) for alias in aliases.find_names(folder)}
    # one that was deleted meanwhile is None
    return {alias: content for alias, content in found.items() if content is not None}


def promote_version(tag: str, *, how: Literal["adopted", "promoted"] = "promoted") -> Alias:
    """Make ``name:version`` the champion of ``name``, which running servers then serve.

    Nothing changes if the version is the champion already. Raises :class:`ArtifactError` for a
    version that the store does not hold.
    """
    name, version, _ = Tag.parse(tag)
    if not version:
        raise ArtifactError(
            f"{tag!r} names no version; the store holds these versions: "
            f"{_join_names(list_versions(name))}"
        )
    return _move_alias(find_model(tag), CHAMPION, how)


def set_alias(tag: str, version: str) -> Alias:
    """Let ``name@alias`` name ``version``, which running servers of the model then load.

    ``version`` may be an alias, ``@other``, whose version is taken now. Nothing changes if the
    alias names the version already. Raises :class:`ArtifactError` for an alias or a version that
    cannot be.
    """
    name, alias = _parse_alias(tag)
    model = find_model(f"{name}{version}" if version.startswith("@") else f"{name}:{version}")
    return _move_alias(model, alias, "promoted" if alias == CHAMPION else "set")


def delete_alias(tag: str) -> Alias:
    """Delete ``name@alias``, and return what it was; the version that it named stays.

    Raises :class:`ArtifactError` for an alias that is not there, and for the champion.
    """
    name, alias = _parse_alias(tag)
    if alias == CHAMPION:
        raise ArtifactError(
            f"the champion of {name} answers requests, and cannot be deleted; promote another "
            f"version with `valence promote {name}:VERSION`"
        )
    folder = _find_versions(name)
    with _lock_alias(folder, alias) as before:
        if before is None:
            raise ArtifactError(
                f"{name} has no alias {alias}; it has {_join_names(aliases.find_names(folder))}"
            )
        aliases.find_file(folder, alias).unlink()
    return before


def roll_back(name: str) -> Alias:
    """Make the previous champion of ``name`` the champion; each further call goes back one more.

    Raises :class:`ArtifactError` without a previous champion, and if the store no longer holds it.
    """
    folder = _find_versions(name)
    with _lock_alias(folder, CHAMPION) as before:
        after = make_rolled_back(before, name)
        if not (folder / after.version).is_dir():
            raise ArtifactError(
                f"{name}:{after.version}, the previous champion, is not in the model store any "
                f"more; promote one of {_join_names(list_versions(name))}"
            )
        _write_alias(folder, CHAMPION, after)
        return after


def make_moved(before: Alias | None, version: str, how: How) -> Alias:
    """The alias after ``before`` when it names ``version``; ``before`` if it does so already."""
    if before is None:
        return _make_change(before, version, (), how)
    if before.version == version:
        return before
    return _make_change(before, version, (*before.previous, before.version), how)


def make_rolled_back(before: Alias | None, name: str) -> Alias:
    """The champion after ``before``, the champion of ``name``, when it is rolled back.

    Raises :class:`ArtifactError` without a previous champion.
    """
    if before is None or not before.previous:
        raise ArtifactError(
            f"there is no champion of {name} to go back to; promote one of "
            f"{_join_names(list_versions(name))} with `valence promote {name}:VERSION`"
        )
    *previous, version = before.previous
    return _make_change(before, version, tuple(previous), "rolled back")


def _parse_alias(tag: str) -> tuple[str, str]:
    """The name and the alias of ``name@alias``."""
    name, _, alias = Tag.parse(tag)
    if not alias:
        raise ArtifactError(f"{tag!r} names no alias; give NAME@ALIAS, such as reviews@blue")
    return name, aliases.check_name(alias)


def _find_versions(name: str) -> Path:
    """The folder of the versions of ``name``."""
    folder = bento_store.folder() / name
    if not name or not folder.is_dir():
        raise ArtifactError(f"the model store does not have {name!r}")
    return folder


def _move_alias(model: Path, alias: str, how: How) -> Alias:
    """Let ``alias`` name the version in the folder ``model``."""
    with _lock_alias(model.parent, alias) as before:
        after = make_moved(before, model.name, how)
        if after is not before:
            _write_alias(model.parent, alias, after)
        return after


def _make_change(before: Alias | None, version: str, previous: tuple[str, ...], how: How) -> Alias:
    change = Change(version=version, at=datetime.now(UTC).isoformat(timespec="seconds"), how=how)
    changes = () if before is None else before.changes
    return Alias(version=version, previous=previous, changes=(*changes, change))


def _write_alias(folder: Path, alias: str, content: Alias) -> None:
    path = aliases.find_file(folder, alias)
    if path.is_dir():
        raise ArtifactError(f"{path} is a version of the model; choose another name for the alias")
    write_file(path, content.model_dump_json(indent=2) + "\n")


@contextmanager
def _lock_alias(folder: Path, alias: str) -> Iterator[Alias | None]:
    """The ``alias`` in ``folder``, whose aliases are locked against other processes."""
    # lock the folder itself: a lock file would be one more file in the store
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield aliases.read(folder, alias)
    finally:
        os.close(descriptor)


def _join_names(names: list[str]) -> str:
    return ", ".join(names) or "nothing"
