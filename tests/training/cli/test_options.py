"""Configurations by name, and options of commands as objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner
from valence.service.errors import ConfigurationError
from valence.service.registry.names import describe_unknown
from valence.training.cli.parameters import expand_options
from valence.training.config.locations import PRESETS, find_configuration, find_near_name


def test_a_configuration_is_found_by_path_or_by_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.touch()
    assert find_configuration(file, (PRESETS,)) == file
    assert find_configuration(Path("mine"), (PRESETS, tmp_path)) == file
    assert find_configuration(Path("topic"), (PRESETS, tmp_path)) == PRESETS / "topic.toml"


def test_a_preset_precedes_a_file_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "topic.toml").touch()
    assert find_configuration(Path("topic"), (PRESETS, tmp_path)) == PRESETS / "topic.toml"


@pytest.mark.parametrize("typed", ["sentimnt", "training/configs/sentiment.toml"])
def test_an_unknown_configuration_names_the_nearest(typed: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{typed}: no such file; .*'sentiment'.*topic"):
        find_configuration(Path(typed), (PRESETS,))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("sentimnt", "sentiment"),
        ("sentiments", "sentiment"),
        ("topics", "topic"),
        ("my-reveiws", "my-reviews"),
        ("sentiment-distiled", "sentiment-distilled"),
        ("topic", None),  # the name of a model
        ("reviews-2025", None),  # another year
        ("topic2", None),
        ("tickets", None),
    ],
)
def test_a_new_name_that_is_nearly_another_is_found(name: str, near: str | None) -> None:
    known = ["sentiment", "sentiment-distilled", "topic", "my-reviews", "reviews-2024"]
    assert find_near_name(name, known) == near


def test_an_unknown_model_names_the_nearest_and_all() -> None:
    held = ["sentiment:1", "sentiment:2", "topic:1"]
    assert describe_unknown("sentimnt:1", held) == (
        "the model store does not have 'sentimnt:1'; did you mean 'sentiment'? "
        "it has sentiment, topic"
    )
    assert describe_unknown("sentiment:3", held).startswith(
        "the model store does not have 'sentiment:3'; did you mean 'sentiment'?"
    )
    assert describe_unknown("x", []) == "the model store does not have 'x'; it is empty"


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option(min=1)]
    height: int = 2


def test_the_fields_of_a_parameter_are_options() -> None:
    given: list[tuple[str, Size]] = []

    @expand_options
    def draw(name: str, *, size: Size) -> None:
        given.append((name, size))

    app = typer.Typer()
    app.command()(draw)
    assert CliRunner().invoke(app, ["box", "--width", "3"]).exit_code == 0
    assert given == [("box", Size(3, 2))]
    assert CliRunner().invoke(app, ["box"]).exit_code == 2
    assert CliRunner().invoke(app, ["box", "--width", "0"]).exit_code == 2


def test_two_options_of_one_name_are_refused() -> None:
    def draw(*, size: Size, other: Size) -> None:
        del size, other

    with pytest.raises(TypeError, match="draw has two options called"):
        expand_options(draw)
