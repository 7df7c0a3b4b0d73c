from __future__ import annotations

import pickle
import shutil

import pytest
from valence.service.cluster.models import SourceRecipe, find_recipe
from valence.service.errors import ConfigurationError, ValenceError
from valence.service.score.options import ScoreOptions
from valence.service.sources.download import Download


@pytest.fixture
def source(tmp_path, save_tiny):
    """A source with two versions, of which the older one is the champion."""
    models = tmp_path / "source" / "sentiment"
    for version in ("1", "2"):
        save_tiny(models / version, version=version, seed=int(version))
    (models / "champion.json").write_text('{"version": "1"}')
    return models.parent


@pytest.fixture
def runs(monkeypatch):
    """The versions that were downloaded."""
    found: list[str] = []
    run = Download.run
    monkeypatch.setattr(Download, "run", lambda self: found.append(self._version) or run(self))
    return found


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_engine_of_this_process_is_that_of_all(tiny_folder):
    recipe = find_recipe(tiny_folder, options=ScoreOptions(top_k=1))
    assert recipe.folder == tiny_folder
    assert recipe.engine.startswith("native-")
    assert recipe.options.top_k == 1


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("sentiment", "1"),
        ("sentiment@champion", "1"),
        ("sentiment:2", "2"),
        ("sentiment:latest", "2"),
    ],
)
def test_a_tag_names_one_version_of_a_source(source, tag, version):
    recipe = find_recipe(tag, source=str(source))
    assert isinstance(recipe, SourceRecipe)
    assert recipe.version == version
    made = pickle.loads(pickle.dumps(recipe)).make()
    assert made.classifier.manifest.version == version


def test_a_machine_downloads_a_version_once(source, runs):
    recipe = find_recipe("sentiment", source=str(source))
    shutil.rmtree(source)
    recipe.make()
    assert runs == ["1"]


def test_a_damaged_copy_is_downloaded_anew(source, home, runs):
    recipe = find_recipe("sentiment", source=str(source))
    (weights,) = home.rglob("sentiment/1/model.safetensors")
    weights.write_bytes(b"damaged")
    recipe.make()
    assert runs == ["1", "1"]


@pytest.mark.parametrize(
    ("tag", "told"),
    [
        ("sentiment:3", "no version '3'; it has 1, 2"),
        ("sentiment@next", "no alias 'next'; it has champion"),
        ("topic", "no version"),
        ("../x", "is no name of a model"),
    ],
)
def test_what_a_source_does_not_hold_is_named(source, tag, told):
    with pytest.raises(ValenceError, match=told):
        find_recipe(tag, source=str(source))


def test_an_address_that_is_none_is_refused(tiny_folder):
    with pytest.raises(ConfigurationError, match="a source of models is"):
        find_recipe("sentiment", source="http://x")
