from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from valence.service.errors import ConfigurationError
from valence.service.registry import bento, models
from valence.service.settings import Settings


def serve(monkeypatch: pytest.MonkeyPatch, *tags: str) -> None:
    folders = [Path("models", *tag.split(":")) for tag in tags]
    monkeypatch.setattr(models, "folders", lambda settings: folders)


def test_the_bento_holds_the_versions_that_would_be_served(monkeypatch) -> None:
    serve(monkeypatch, "sentiment:2", "topic:1")
    content = yaml.safe_load(bento.described(Settings()))
    assert content["models"] == ["sentiment:2", "topic:1"]
    written = yaml.safe_load(bento.FILE.read_text())
    assert written["models"] == ["sentiment:latest", "topic:latest"]
    assert {**written, "models": content["models"]} == content


def test_the_bento_serves_the_configured_models(monkeypatch) -> None:
    serve(monkeypatch, "reviews:7")
    content = yaml.safe_load(bento.described(Settings(models=("reviews",))))
    assert content["models"] == ["reviews:7"]
    assert {"name": "VALENCE_MODELS", "value": "reviews"} in content["envs"]


def test_without_models_no_bento_is_built(monkeypatch) -> None:
    def no_folders(settings: Settings) -> list[Path]:
        raise ConfigurationError("the model store has none of sentiment, topic")

    monkeypatch.setattr(models, "folders", no_folders)
    with pytest.raises(SystemExit, match="error: the model store has none"):
        bento.main()
