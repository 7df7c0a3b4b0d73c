"""Trained classifiers in the BentoML model store, and which of their versions is the champion."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import bentoml
from bentoml.exceptions import BentoMLException, NotFound
from valence.service.classifier.manifest import Manifest
from valence.service.errors import ArtifactError
from valence.service.files.atomic_write import make_unfinished_folder, write_file
from valence.service.registry import bento_store, champion
from valence.service.registry.champion import Champion, Change
from valence.service.registry.names import describe_unknown


def publish_model(folder: Path, manifest: Manifest) -> str:
    """Copy the artifact in ``folder`` into the store. Returns its tag, ``name:version``.

    The artifact appears in the store whole or not at all, even if the process is killed. Raises
    :class:`ArtifactError` if the store holds the version already.
    """
    metrics = manifest.metrics.get("test", manifest.metrics.get("dev"))
    scores = metrics if isinstance(metrics, dict) else {}
    store = bento_store.folder()
    target = store / manifest.name / manifest.version
    if target.exists():
        raise ArtifactError(f"the model store holds {manifest.name}:{manifest.version} already")
    # work beside the store: BentoML lists every folder inside the store as a model
    with make_unfinished_folder(store.parent) as unfinished:
        with bento_store.create(
            f"{manifest.name}:{manifest.version}",
            store=unfinished,
            module="valence.service.classifier",
            labels={"task": manifest.task, "framework": "valence"},
            metadata={
                "labels": list(manifest.labels),
                "seed": manifest.training.seed,
                "code_version": manifest.training.code_version,
                "data_sha256": {c.name: c.sha256 for c in manifest.training.corpora},
                **{
                    key: scores[key]
                    for key in ("accuracy", "micro_f1", "macro_f1", "ece")
                    if key in scores
                },
            },
        ) as model:
            shutil.copytree(folder, model.path, dirs_exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        (unfinished / manifest.name / manifest.version).rename(target)
    serve_version(f"{manifest.name}:{manifest.version}")
    return str(model.tag)


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
        if before is not None and before.version == model.name:
            return before
        previous = () if before is None else (*before.previous, before.version)
        return _write_champion(model.parent, model.name, previous, before, how)


def roll_back(name: str) -> Champion:
    """Make the previous champion of ``name`` the champion; each further call goes back one more.

    Raises :class:`ArtifactError` without a previous champion, and if the store no longer holds it.
    """
    folder = bento_store.folder() / name
    if not folder.is_dir():
        raise ArtifactError(f"the model store does not have {name!r}")
    with _lock_champion(folder) as before:
        if before is None or not before.previous:
            raise ArtifactError(
                f"there is no champion of {name} to go back to; promote one of "
                f"{_join_names(list_versions(name))} with `valence promote {name}:VERSION`"
            )
        *previous, version = before.previous
        if not (folder / version).is_dir():
            raise ArtifactError(
                f"{name}:{version}, the previous champion, is not in the model store any more; "
                f"promote one of {_join_names(list_versions(name))}"
            )
        return _write_champion(folder, version, tuple(previous), before, "rolled back")


def _write_champion(
    folder: Path,
    version: str,
    previous: tuple[str, ...],
    before: Champion | None,
    how: Literal["adopted", "promoted", "rolled back"],
) -> Champion:
    change = Change(version=version, at=datetime.now(UTC).isoformat(timespec="seconds"), how=how)
    changes = () if before is None else before.changes
    after = Champion(version=version, previous=previous, changes=(*changes, change))
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
