from __future__ import annotations

import pickle
import shutil

import pytest
from valence.service.errors import ValenceError
from valence.service.score.options import ScoreOptions
from valence.service.score.recipe import AddressRecipe, find_cluster_recipe


@pytest.fixture
def source(tmp_path, save_tiny, monkeypatch):
    """The address of a source with two versions, of which the older one is the champion."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    models = tmp_path / "source" / "sentiment"
    for version in ("1", "2"):
        save_tiny(models / version, version=version, seed=int(version))
    (models / "champion.json").write_text('{"version": "1"}')
    return f"file://{models.parent}"


def test_the_engine_of_this_process_is_that_of_all(tiny_folder):
    recipe = find_cluster_recipe(tiny_folder, options=ScoreOptions(top_k=1))
    assert recipe.folder == tiny_folder
    assert recipe.engine.startswith("native-")
    assert recipe.options.top_k == 1


@pytest.mark.parametrize(
    ("tag", "version"),
    [("", "1"), ("#sentiment", "1"), ("#sentiment@champion", "1"), ("#sentiment:2", "2")],
)
def test_an_address_means_one_version_in_all_processes(source, tmp_path, tag, version):
    recipe = pickle.loads(pickle.dumps(find_cluster_recipe(f"{source}{tag}")))
    assert isinstance(recipe, AddressRecipe)
    assert recipe.address == f"{source}#sentiment:{version}"
    (tmp_path / "source" / "sentiment" / "champion.json").write_text('{"version": "2"}')
    # another machine has no copy yet
    shutil.rmtree(tmp_path / "cache")
    assert recipe.make().classifier.manifest.version == version


def test_a_model_that_is_not_there_is_named(source):
    with pytest.raises(ValenceError, match="has no alias next; it has champion"):
        find_cluster_recipe(f"{source}#sentiment@next")
