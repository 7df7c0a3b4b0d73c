from pathlib import Path

import pytest

from service import store
from service.errors import ConfigurationError
from service.settings import Settings

# BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def put(tmp_path, save_tiny):
    """Put a model into a model store of the test's own."""
    import bentoml
    from bentoml._internal.configuration.containers import BentoMLContainer
    from bentoml._internal.models import ModelStore

    folder = tmp_path / "models"
    folder.mkdir()
    before = BentoMLContainer.model_store.get()
    BentoMLContainer.model_store.set(ModelStore(folder))

    def put(name: str, version: str) -> None:
        with bentoml.models.create(f"{name}:{version}") as model:
            save_tiny(Path(model.path), name=name, version=version)

    yield put
    BentoMLContainer.model_store.set(before)


def tags(**fields: object) -> list[str]:
    return [f"{path.parent.name}:{path.name}" for path in store.folders(Settings(**fields))]


def test_without_a_setting_those_of_the_defaults_that_are_there(put):
    put("topic", "1")
    assert tags() == ["topic:1"]
    put("sentiment", "1")
    assert tags() == ["sentiment:1", "topic:1"]


def test_a_name_is_the_latest_and_a_version_is_that_one(put):
    put("sentiment", "1")
    put("sentiment", "2")
    assert tags(models="sentiment") == ["sentiment:2"]
    assert tags(models="sentiment:1") == ["sentiment:1"]


def test_the_default_model_comes_first(put):
    put("sentiment", "1")
    put("topic", "1")
    assert tags(default_model="topic") == ["topic:1", "sentiment:1"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"models": "other"}, "holds no 'other'; it holds sentiment:1; train"),
        ({"models": "sentiment:9"}, "holds no 'sentiment:9'"),
        ({"models": "sentiment,sentiment:1"}, "'sentiment' twice"),
        ({"models": "not a name"}, "VALENCE_MODELS: 'not a name'"),
        ({"default_model": "topic"}, "'topic' is not served; served are sentiment"),
    ],
)
def test_what_cannot_be_served_is_named_with_its_remedy(put, fields, said):
    put("sentiment", "1")
    with pytest.raises(ConfigurationError, match=said):
        tags(**fields)


def test_an_empty_store_says_how_to_fill_it(put):
    with pytest.raises(ConfigurationError, match="make train"):
        tags()
