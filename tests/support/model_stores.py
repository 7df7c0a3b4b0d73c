"""Model stores of BentoML that only a test uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny_models import save_tiny_model


def put_model(name: str, version: str, **options: Any) -> Path:
    """Save a tiny model with ``options`` into the store; return its folder."""
    import bentoml

    with bentoml.models.create(f"{name}:{version}") as model:
        save_tiny_model(Path(model.path), name=name, version=version, **options)
    return Path(bentoml.models.get(f"{name}:{version}").path)


@contextmanager
def models_in(folder: Path) -> Iterator[None]:
    """Use ``folder``, which is called ``models``, as the model store.

    BentoML knows the store by its container, and commands that need no BentoML by its home.
    """
    from bentoml._internal.configuration.containers import BentoMLContainer
    from bentoml._internal.models import ModelStore

    folder.mkdir(parents=True, exist_ok=True)
    before = BentoMLContainer.model_store.get()
    BentoMLContainer.model_store.set(ModelStore(folder))
    try:
        with pytest.MonkeyPatch.context() as patch:
            if folder.name == "models":
                patch.setenv("BENTOML_HOME", str(folder.parent))
            yield
    finally:
        BentoMLContainer.model_store.set(before)
