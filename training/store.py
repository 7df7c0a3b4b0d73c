"""Trained classifiers in the BentoML model store."""

from __future__ import annotations

import shutil
from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException, NotFound

from service.classifier.manifest import Manifest
from service.errors import ArtifactError


def publish(folder: Path, manifest: Manifest) -> str:
    """Copy the artifact in ``folder`` into the store; the tag it got, ``name:version``.

    It appears in the store whole or not at all.
    """
    test = manifest.metrics.get("test")
    figures = test if isinstance(test, dict) else {}
    with bentoml.models.create(
        f"{manifest.name}:{manifest.version}",
        module="service.classifier",
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
    return str(model.tag)


def path(tag: str) -> Path:
    """The folder of ``name`` (its latest version) or ``name:version`` in the store."""
    try:
        return Path(bentoml.models.get(tag).path)
    except NotFound:
        raise ArtifactError(
            f"the model store holds no {tag!r}; train one with `make train`, or see what it holds "
            "with `bentoml models list`"
        ) from None
    except (BentoMLException, ValueError) as error:
        raise ArtifactError(f"{tag!r} is no model tag: {error}") from None
