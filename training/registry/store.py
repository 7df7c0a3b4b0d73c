"""Trained classifiers in the BentoML model store, and which of their versions is the champion."""

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
from valence.service.registry import bento_store, champion, placement
from valence.service.registry.champion import Champion, Change
from valence.service.registry.names import describe_unknown


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

    ``tag`` is ``name:version``, or ``name`` for its champion, else for its latest version. Raises
    :class:`ArtifactError` for a model that the store does not hold.
    """
    try:
        return Path(champion.get(tag).path)
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


def read_champion(name: str) -> Champion | None:
    """The champion of ``name`` with its history; None if there is no champion."""
    return champion.read(bento_store.folder() / name)


def promote_version(tag: str, *, how: Literal["adopted", "promoted"] = "promoted") -> Champion:
    """Make ``name:version`` the champion of ``name``, which running servers then reload.

    Nothing changes if the version is the champion already. Raises :class:`ArtifactError` for a
    version that the store does not hold.
    """
    name, _, version = tag.partition(":")
    if not version:
        raise ArtifactError(
            f"{tag!r} names no version; the store holds these versions: "
            f"{_join_names(list_versions(name))}"
        )
    model = find_model(tag)
    with _lock_champion(model.parent) as before:
        return _write_champion(model.parent, before, make_promoted(before, model.name, how=how))


def make_promoted(
    before: Champion | None, version: str, *, how: Literal["adopted", "promoted"] = "promoted"
) -> Champion:
    """The champion after ``before`` when ``version`` is promoted; ``before`` if it is the same."""
    if before is None:
        return _make_change((), version, (), how)
    if before.version == version:
        return before
    return _make_change(before.changes, version, (*before.previous, before.version), how)


def roll_back(name: str) -> Champion:
    """Make the previous champion of ``name`` the champion; each further call goes back one more.

    Raises :class:`ArtifactError` without a previous champion, and if the store no longer holds it.
    """
    folder = bento_store.folder() / name
    if not folder.is_dir():
        raise ArtifactError(f"the model store does not have {name!r}")
    with _lock_champion(folder) as before:
        after = make_rolled_back(before, name)
        if not (folder / after.version).is_dir():
            raise ArtifactError(
                f"{name}:{after.version}, the previous champion, is not in the model store any "
                f"more; promote one of {_join_names(list_versions(name))}"
            )
        return _write_champion(folder, before, after)


def make_rolled_back(before: Champion | None, name: str) -> Champion:
    """The champion after ``before``, the champion of ``name``, when it is rolled back.

    Raises :class:`ArtifactError` without a previous champion.
    """
    if before is None or not before.previous:
        raise ArtifactError(
            f"there is no champion of {name} to go back to; promote one of "
            f"{_join_names(list_versions(name))} with `valence promote {name}:VERSION`"
        )
    *previous, version = before.previous
    return _make_change(before.changes, version, tuple(previous), "rolled back")


def _make_change(
    changes: tuple[Change, ...],
    version: str,
    previous: tuple[str, ...],
    how: Literal["adopted", "promoted", "rolled back"],
) -> Champion:
    change = Change(version=version, at=datetime.now(UTC).isoformat(timespec="seconds"), how=how)
    return Champion(version=version, previous=previous, changes=(*changes, change))


def _write_champion(folder: Path, before: Champion | None, after: Champion) -> Champion:
    if after != before:
        write_file(folder / champion.FILE, after.model_dump_json(indent=2) + "\n")
    return after


@contextmanager
def _lock_champion(folder: Path) -> Iterator[Champion | None]:
    """The champion in ``folder``, locked against changes by other processes."""
    # lock the folder itself: a lock file would be one more file in the store
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield champion.read(folder)
    finally:
        os.close(descriptor)


def _join_names(names: list[str]) -> str:
    return ", ".join(names) or "nothing"
