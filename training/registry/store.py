"""Trained classifiers in the BentoML model store, and which of their versions is the champion."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import bentoml
from bentoml.exceptions import BentoMLException, NotFound
from valence.service.classifier.manifest import Manifest
from valence.service.errors import ArtifactError
from valence.service.registry import bento_store, champion
from valence.service.registry.champion import Champion, Change
from valence.service.registry.names import describe_unknown

_UNFINISHED = "unfinished-model-"
# what a killed process left is swept up after this time; copying a model takes seconds
_ABANDONED_SECONDS = 3_600


def publish(folder: Path, manifest: Manifest) -> str:
    """Copy the artifact in ``folder`` into the store; the tag it got, ``name:version``.

    It appears in the store whole or not at all, even if the process is killed. Raises
    :class:`ArtifactError` if the version is there already.
    """
    judged = manifest.metrics.get("test", manifest.metrics.get("dev"))
    figures = judged if isinstance(judged, dict) else {}
    store = bento_store.folder()
    target = store / manifest.name / manifest.version
    if target.exists():
        raise ArtifactError(f"the model store holds {manifest.name}:{manifest.version} already")
    # beside the store, not in it: what is in it is listed as a model
    store.parent.mkdir(parents=True, exist_ok=True)
    for left in store.parent.glob(f"{_UNFINISHED}*"):
        if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=store.parent) as unfinished:
        with bento_store.create(
            f"{manifest.name}:{manifest.version}",
            store=Path(unfinished),
            module="valence.service.classifier",
            labels={"task": manifest.task, "framework": "valence"},
            metadata={
                "labels": list(manifest.labels),
                "seed": manifest.training.seed,
                "code_version": manifest.training.code_version,
                "data_sha256": {c.name: c.sha256 for c in manifest.training.corpora},
                **{
                    key: figures[key]
                    for key in ("accuracy", "micro_f1", "macro_f1", "ece")
                    if key in figures
                },
            },
        ) as model:
            shutil.copytree(folder, model.path, dirs_exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        (Path(unfinished) / manifest.name / manifest.version).rename(target)
    # BentoML finds the latest by itself where the file says nothing
    _replace(target.parent / "latest", manifest.version)
    return str(model.tag)


def path(tag: str) -> Path:
    """The folder of ``name`` (its champion, else its latest version) or ``name:version``."""
    try:
        return Path(champion.get(tag).path)
    except NotFound:
        held = [str(model.tag) for model in bentoml.models.list()]
        raise ArtifactError(
            f"{describe_unknown(tag, held)}; train it with `valence train`"
        ) from None
    except (BentoMLException, ValueError) as error:
        raise ArtifactError(f"{tag!r} is no model tag: {error}") from None


def versions(name: str) -> list[str]:
    """The versions of ``name`` in the store, the oldest first."""
    try:
        return sorted(str(model.tag.version) for model in bentoml.models.list(name))
    except NotFound:
        return []


def current(name: str) -> Champion | None:
    """The champion of ``name``, with its past."""
    return champion.read(bento_store.folder() / name)


def promote(tag: str, *, how: Literal["adopted", "promoted"] = "promoted") -> Champion:
    """Make ``name:version`` the champion of ``name``, which is served from the next start on.

    Nothing changes if it is already. Raises :class:`ArtifactError` for what the store does not
    hold.
    """
    name, _, version = tag.partition(":")
    if not version:
        raise ArtifactError(
            f"{tag!r} names no version; the store holds of it {_listed(versions(name))}"
        )
    found = path(tag)
    with _changing(found.parent) as before:
        if before is not None and before.version == found.name:
            return before
        previous = () if before is None else (*before.previous, before.version)
        return _write(found.parent, found.name, previous, before, how)


def rollback(name: str) -> Champion:
    """Make the champion before this one the champion again; again, and it is the one before that.

    Raises :class:`ArtifactError` where there was none, or it is not in the store any more.
    """
    folder = bento_store.folder() / name
    if not folder.is_dir():
        raise ArtifactError(f"the model store does not have {name!r}")
    with _changing(folder) as before:
        if before is None or not before.previous:
            raise ArtifactError(
                f"there is no champion of {name} to go back to; promote one of "
                f"{_listed(versions(name))} with `valence promote {name}:VERSION`"
            )
        *previous, version = before.previous
        if not (folder / version).is_dir():
            raise ArtifactError(
                f"{name}:{version}, the champion before, is not in the model store any more; "
                f"promote one of {_listed(versions(name))}"
            )
        return _write(folder, version, tuple(previous), before, "rolled back")


def _write(
    folder: Path,
    version: str,
    previous: tuple[str, ...],
    before: Champion | None,
    how: Literal["adopted", "promoted", "rolled back"],
) -> Champion:
    change = Change(version=version, at=datetime.now(UTC).isoformat(timespec="seconds"), how=how)
    changes = () if before is None else before.changes
    after = Champion(version=version, previous=previous, changes=(*changes, change))
    _replace(folder / champion.FILE, after.model_dump_json(indent=2) + "\n")
    return after


@contextmanager
def _changing(folder: Path) -> Iterator[Champion | None]:
    """The champion, while nobody else changes it."""
    # a folder can be locked itself, so that no lock file lies in the store
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield champion.read(folder)
    finally:
        os.close(descriptor)


def _replace(path: Path, content: str) -> None:
    """Write ``content`` to ``path``, whole or not at all, and onto the disk."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _listed(found: list[str]) -> str:
    return ", ".join(found) or "nothing"
