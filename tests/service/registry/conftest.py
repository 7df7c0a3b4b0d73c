"""A model store of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.model_stores import models_in


@pytest.fixture
def put(tmp_path: Path, save_tiny: Callable[..., object]) -> Iterator[Callable[[str, str], None]]:
    """Yield a function that saves a model into the test's own model store."""
    import bentoml

    def put(name: str, version: str) -> None:
        with bentoml.models.create(f"{name}:{version}") as model:
            save_tiny(Path(model.path), name=name, version=version)

    with models_in(tmp_path / "models"):
        yield put
