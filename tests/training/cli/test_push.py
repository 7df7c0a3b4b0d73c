"""Models travel between stores and sources by commands."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.testing
import valence.training.cli.main as commands
from valence.service.classifier import artifact
from valence.service.errors import ArtifactError
from valence.training.registry import store

from tests.support.model_stores import models_in

pytestmark = [
    pytest.mark.usefixtures("model_store"),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
]


def call(*arguments: str) -> list[str]:
    result = typer.testing.CliRunner().invoke(commands.app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_a_model_travels_from_store_to_store(tmp_path: Path, save_tiny) -> None:
    source = str(tmp_path / "source")
    for version in ("1", "2"):
        folder = save_tiny(tmp_path / version, version=version)
        store.publish_model(folder, artifact.load(folder).manifest)
    assert call("push", "sentiment:1", source, "--promote")[-1] == "sentiment:1"
    assert call("push", "sentiment", source)[-1] == "sentiment:2"
    with models_in(tmp_path / "other" / "models"):
        assert call("pull", "sentiment", source)[-1] == "sentiment:1"
        assert store.find_model("sentiment").name == "1"
        call("promote", "sentiment:2", "--source", source)
        assert call("pull", "sentiment", source)[-1] == "sentiment:2"
        assert call("rollback", "sentiment", "--source", source)[-1] == "sentiment:1"
        assert store.find_model("sentiment").name == "2", "the store is as it was"
        call("pull", "sentiment", source)
        assert store.find_model("sentiment").name == "1"
        for number in range(3, 9):
            folder = save_tiny(tmp_path / str(number), version=str(number))
            store.publish_model(folder, artifact.load(folder).manifest)
        store.set_alias("sentiment@blue", "5")
        call("pull", "sentiment", source)
        assert store.list_versions("sentiment") == [str(number) for number in range(1, 9)]
        assert set(store.list_aliases("sentiment")) == {"blue", "champion"}
    with pytest.raises(ArtifactError, match="no champion of sentiment to go back to"):
        call("rollback", "sentiment")
