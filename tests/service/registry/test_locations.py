from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from valence.service.errors import ArtifactError, ConfigurationError
from valence.service.registry import aliases, locations

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def home(tmp_path, put, monkeypatch):
    """The home of BentoML, whose model store the function ``put`` of the tests fills."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    return tmp_path


def promote(home: Path, name: str, version: str) -> None:
    (home / "models" / name / "champion.json").write_text(json.dumps({"version": version}))


@pytest.mark.parametrize("tag", ["sentiment", "sentiment:latest", "sentiment:1", "sentiment:2"])
def test_a_tag_is_the_folder_that_bentoml_names(home, put, tag):
    put("sentiment", "1")
    put("sentiment", "2")
    assert locations.find_model(tag) == Path(aliases.get(tag).path)


def test_a_bare_name_is_the_champion_once_there_is_one(home, put):
    put("sentiment", "1")
    put("sentiment", "2")
    promote(home, "sentiment", "1")
    for tag in ("sentiment", "sentiment:champion", "sentiment:latest"):
        assert locations.find_model(tag) == Path(aliases.get(tag).path)
    assert locations.find_model("sentiment").name == "1"


def test_a_champion_that_is_gone_is_named(home, put):
    put("sentiment", "1")
    promote(home, "sentiment", "7")
    with pytest.raises(ArtifactError, match=r"sentiment:7.*valence rollback sentiment"):
        locations.find_model("sentiment")


@pytest.mark.parametrize(
    ("tag", "fault"),
    [
        ("sentimnet", "did you mean 'sentiment'.*sentiment, topic.*valence train"),
        ("", "does not have ''"),
        ("sentiment:9", "no version '9' of sentiment; it has 1"),
        ("sentiment:champion", "no champion; promote"),
        ("sentiment@blue", "no alias blue.*valence alias set"),
    ],
)
def test_a_model_that_is_not_there_is_refused(home, put, tag, fault):
    put("sentiment", "1")
    put("topic", "1")
    with pytest.raises((ArtifactError, ConfigurationError), match=fault):
        locations.find_model(tag)


def test_an_empty_store_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match=r"it is empty.*none"):
        locations.find_model("sentiment")


def test_a_latest_version_that_cannot_be_read_is_named(home, put):
    put("sentiment", "1")
    (home / "models" / "sentiment" / "latest").unlink()
    with pytest.raises(ConfigurationError, match="name a version: sentiment:VERSION"):
        locations.find_model("sentiment")


def test_a_path_is_a_folder_and_never_a_name(home, put, tmp_path, monkeypatch):
    put("sentiment", "1")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tmp_path / "models" / "sentiment" / "1", "sentiment")
    assert locations.find_model("sentiment").is_relative_to(home / "models")
    assert locations.find_model("./sentiment") == Path("sentiment")
    assert locations.find_model(Path("sentiment")) == Path("sentiment")
    with pytest.raises(ConfigurationError, match="none is not a folder"):
        locations.find_model("./none")
    shutil.copytree("sentiment", "other")
    with pytest.raises(ConfigurationError, match=r"the folder is \./other"):
        locations.find_model("other")


def test_the_store_is_the_one_of_the_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("BENTOML_HOME")
    assert locations.find_store() == tmp_path / "user" / "bentoml"
    workspace = tmp_path / ".valence" / "bentoml"
    workspace.mkdir(parents=True)
    assert locations.find_store() == workspace
    monkeypatch.setenv("BENTOML_HOME", "/elsewhere")
    assert locations.find_store() == Path("/elsewhere")
