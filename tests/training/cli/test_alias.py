"""``valence alias set``, ``list`` and ``delete``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.testing
import valence.training.cli.main as commands
from valence.service.errors import ArtifactError

from tests.support.model_stores import models_in, put_model

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[None]:
    """Use a store with two versions of ``reviews``."""
    with models_in(tmp_path / "models"):
        put_model("reviews", "1")
        put_model("reviews", "2")
        yield


def run(*arguments: str) -> str:
    result = typer.testing.CliRunner().invoke(commands.app, ["alias", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(*arguments: str) -> list[list[str]]:
    return [line.split("\t")[:2] for line in run("list", *arguments).splitlines() if "\t" in line]


def test_an_alias_is_set_listed_and_deleted() -> None:
    assert "reviews:1" in run("set", "reviews@blue", "1")
    assert "reviews:2" in run("set", "reviews@green", "reviews:2")
    run("set", "reviews@champion", "@green")
    assert (
        rows()
        == rows("reviews")
        == [
            ["reviews@blue", "reviews:1"],
            ["reviews@champion", "reviews:2"],
            ["reviews@green", "reviews:2"],
        ]
    )
    run("delete", "reviews@blue")
    assert [row[0] for row in rows("reviews")] == ["reviews@champion", "reviews@green"]


def test_an_error_names_the_remedy() -> None:
    with pytest.raises(ArtifactError, match="'reviews' names no alias; give NAME@ALIAS"):
        run("set", "reviews", "1")
    with pytest.raises(ArtifactError, match="does not have 'reviews:9'"):
        run("set", "reviews@blue", "9")
    with pytest.raises(ArtifactError, match="promote another"):
        run("delete", "reviews@champion")
