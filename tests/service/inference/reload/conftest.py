"""A service with a model store of the test's own, whose models are reloaded."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from valence.service.inference.model_loader import ModelLoader
from valence.service.inference.models import Models
from valence.service.inference.reload.reloads import Reloads
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.registry import models as registry
from valence.service.settings import Settings

from tests.support.model_stores import models_in, put_model

# for BentoML's own imports
IGNORED = "ignore:GitWildMatchPattern:DeprecationWarning"


@dataclass
class Service:
    """The models of one process, and what reloads them."""

    models: Models
    loader: ModelLoader
    reloads: Reloads
    metrics: Metrics
    store: Path
    logged: io.StringIO = field(repr=False)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.logged.getvalue().splitlines()]

    @property
    def version(self) -> str:
        return self.models.get("sentiment").version

    def sample(self, name: str, **labels: str) -> float | None:
        value: float | None = self.metrics._registry.get_sample_value(name, labels)
        return value


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """Yield a store that holds ``sentiment:1``."""
    with models_in(tmp_path / "models"):
        put_model("sentiment", "1", seed=1)
        yield tmp_path / "models"


@pytest.fixture
def make_service(store: Path) -> Iterator[Any]:
    """Yield a function that starts a service on the store, from settings."""
    made: list[Service] = []

    def make(**fields: Any) -> Service:
        settings = Settings(**{"reload_seconds": 0.05, "models": "sentiment"} | fields)
        metrics, logged, models = Metrics(version="test"), io.StringIO(), Models()
        loader = ModelLoader(settings, ThreadPoolExecutor(1), metrics, Log(logged))
        models.open([loader.load(folder) for folder in registry.folders(settings)])
        made.append(Service(models, loader, Reloads(loader, models), metrics, store, logged))
        return made[-1]

    yield make
    for service in made:
        service.reloads.close()
        service.loader.worker.shutdown()
