"""The placement of a sealed folder in the model store: whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from valence.service.classifier.manifest import Manifest
from valence.service.errors import ArtifactError
from valence.service.files.atomic_write import make_unfinished_folder
from valence.service.registry import bento_store


def place_model(folder: Path, manifest: Manifest) -> str:
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
    return str(model.tag)
