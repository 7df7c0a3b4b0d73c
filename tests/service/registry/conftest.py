"""A model store of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def put(tmp_path, save_tiny):
    """Return a function that saves a model into the test's own model store."""
    import bentoml
    from bentoml._internal.configuration.containers import BentoMLContainer
    from bentoml._internal.models import ModelStore

    folder = tmp_path / "models"
    folder.mkdir()
    before = BentoMLContainer.model_store.get()
    BentoMLContainer.model_store.set(ModelStore(folder))

    def put(name: str, version: str) -> None:
        with bentoml.models.create(f"{name}:{version}") as model:
            save_tiny(Path(model.path), name=name, version=version)

    yield put
    BentoMLContainer.model_store.set(before)
