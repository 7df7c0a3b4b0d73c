import pytest
from valence.service.errors import ArtifactError, ConfigurationError, ValenceError
from valence.service.registry import models
from valence.service.registry.aliases import Alias
from valence.service.settings import Settings

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


def tags(**fields: object) -> list[str]:
    return [f"{path.parent.name}:{path.name}" for path in models.folders(Settings(**fields))]


def test_without_a_setting_the_stored_default_models_are_used(put):
    put("topic", "1")
    assert tags() == ["topic:1"]
    put("sentiment", "1")
    assert tags() == ["sentiment:1", "topic:1"]


def test_a_name_is_the_latest_version(put):
    """A name with a version is that version."""
    put("sentiment", "1")
    put("sentiment", "2")
    assert tags(models="sentiment") == ["sentiment:2"]
    assert tags(models="sentiment:1") == ["sentiment:1"]


def test_a_name_is_its_champion_after_a_promotion(put, tmp_path):
    for version in ("1", "2", "3"):
        put("sentiment", version)
    record = Alias(version="1").model_dump_json()
    (tmp_path / "models" / "sentiment" / "champion.json").write_text(record)
    assert tags() == tags(models="sentiment:champion") == ["sentiment:1"]
    assert tags(models="sentiment:latest") == ["sentiment:3"]
    assert tags(models="sentiment:2") == ["sentiment:2"]


def test_a_missing_champion_is_not_replaced_by_another_version(put, tmp_path):
    put("sentiment", "1")
    record = Alias(version="9").model_dump_json()
    (tmp_path / "models" / "sentiment" / "champion.json").write_text(record)
    with pytest.raises(ArtifactError, match="champion sentiment:9 is not in the model store"):
        tags()


def test_the_default_model_comes_first(put):
    put("sentiment", "1")
    put("topic", "1")
    assert tags(default_model="topic") == ["topic:1", "sentiment:1"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"models": "other"}, "does not have 'other'; it has sentiment; train"),
        ({"models": "sentiment:9"}, "does not have 'sentiment:9'"),
        ({"models": "sentiment,sentiment:1"}, "'sentiment' twice"),
        ({"models": "not a name"}, "VALENCE_MODELS: 'not a name'"),
        ({"split": "topic=champion:1"}, "VALENCE_SPLIT names 'topic', which is not served"),
        ({"models": "sentiment@blue"}, "sentiment has no alias blue; make it with"),
        ({"default_model": "topic"}, "'topic' is not served; the served models are sentiment"),
    ],
)
def test_a_model_that_cannot_be_served_is_named_with_a_remedy(put, fields, said):
    put("sentiment", "1")
    with pytest.raises(ValenceError, match=said):
        tags(**fields)


def test_the_error_for_an_empty_store_says_how_to_fill_it(put):
    with pytest.raises(ConfigurationError, match="valence train"):
        tags()
