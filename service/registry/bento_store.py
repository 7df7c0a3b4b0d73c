"""BentoML's model store where its public functions do not suffice: its folder, and another store.

Only this file imports BentoML's private modules for the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import bentoml
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models import ModelStore


def folder() -> Path:
    """The folder of the store, which holds a folder for each model."""
    return Path(BentoMLContainer.model_store.get()._path)


def home() -> Path:
    """The folder of BentoML, in which its store of models lies unless a bento is served."""
    return Path(BentoMLContainer.bentoml_home.get())


def use(store: Path) -> None:
    """Let the folder ``store`` be the store of this process."""
    store.mkdir(parents=True, exist_ok=True)
    BentoMLContainer.model_store.set(ModelStore(store))


def create(
    tag: str,
    *,
    store: Path,
    module: str,
    labels: Mapping[str, str],
    metadata: Mapping[str, Any],
) -> AbstractContextManager[bentoml.Model]:
    """Create the model ``tag`` in another store, which lies in the folder ``store``.

    The caller writes the files of the model into its ``path`` inside the context.
    """
    return bentoml.models.create(
        tag,
        module=module,
        labels=dict(labels),
        metadata=dict(metadata),
        _model_store=ModelStore(store),
    )
