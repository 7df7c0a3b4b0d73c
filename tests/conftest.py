"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from valence.service.classifier import artifact
from valence.service.classifier.artifact import Artifact

from tests.support.tiny_models import CountingEngine, save_tiny_model


@pytest.fixture(scope="session", autouse=True)
def _bentoml_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests away from the user's model store; BentoML reads it at import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(tmp_path_factory.mktemp("bentoml")))
        patch.setenv("BENTOML_DO_NOT_TRACK", "True")
        yield


@pytest.fixture(scope="session")
def save_tiny() -> Callable[..., Path]:
    """Return a function that saves a model: ``save_tiny(folder, name=, version=, seed=,
    max_tokens=)``.

    ``sentiment`` has three labels and a polarity. Any other name has ``business`` and ``sport`` and
    no polarity. With ``thresholds`` for these two labels the model is a multi-label model. With
    ``outside=``, a threshold, it tells texts outside its labels.
    """
    return save_tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed model folder."""
    return save_tiny_model(tmp_path_factory.mktemp("model") / "sentiment")


@pytest.fixture(scope="session")
def tiny_artifact(tiny_folder: Path) -> Artifact:
    """A loaded and verified classifier."""
    return artifact.load(tiny_folder)


@pytest.fixture(scope="session")
def telling_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed model folder; the model tells texts outside its labels."""
    return save_tiny_model(tmp_path_factory.mktemp("telling") / "sentiment", outside=0.75)


@pytest.fixture
def counting_engine() -> CountingEngine:
    """An engine without weights."""
    return CountingEngine()
