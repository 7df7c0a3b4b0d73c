import pytest
from pydantic import ValidationError
from valence.service.errors import ConfigurationError
from valence.service.machine import cores
from valence.service.settings import Settings


def test_an_empty_environment_gives_the_documented_defaults():
    assert Settings.from_environment({"PATH": "/bin"}) == Settings()


def test_a_split_has_weights_by_model_and_alias():
    text = "sentiment=champion:95, challenger:5; topic=blue:0.5,green:1000;"
    assert Settings.from_environment({"VALENCE_SPLIT": text}).split == (
        ("sentiment", (("champion", 95), ("challenger", 5))),
        ("topic", (("blue", 0.5), ("green", 1000))),
    )


def test_variables_are_read_and_converted():
    settings = Settings.from_environment(
        {
            "VALENCE_MODELS": " sentiment:2, topic ,",
            "VALENCE_ACCESS_LOG": "false",
            "VALENCE_MAX_TEXTS": "8",
        }
    )
    assert settings.models == ("sentiment:2", "topic")
    assert settings.access_log is False
    assert settings.max_texts == 8


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("VALENCE_MAX_TEXT", "1", "did you mean VALENCE_MAX_TEXTS?"),
        ("VALENCE_UNHEARD_OF", "1", "the settings are VALENCE_MODELS"),
        ("VALENCE_MAX_TEXTS", "0", "VALENCE_MAX_TEXTS='0'.*greater than or equal to 1"),
        ("VALENCE_MAX_TEXTS", "many", "valid integer.*Maximum number of texts in one request"),
        ("VALENCE_ENGINE", "gpu", "VALENCE_ENGINE='gpu'"),
        ("VALENCE_WORKERS", "0", "VALENCE_WORKERS='0': '0' is not a number of processes: give 1"),
        ("VALENCE_WORKERS", "all", "give 1 or more, or auto"),
        ("VALENCE_REQUEST_TIMEOUT_SECONDS", "61", "less than or equal to 60"),
        ("VALENCE_SPLIT", "sentiment", "'sentiment' is not NAME=ALIAS:WEIGHT"),
        ("VALENCE_SPLIT", "sentiment=champion:0", "weights above 0"),
        ("VALENCE_SPLIT", "sentiment=champion:-1", "weights above 0"),
        ("VALENCE_SPLIT", "sentiment=champion:1,champion:2", "has the alias champion twice"),
        ("VALENCE_SPLIT", "a=b:1;a=b:1", "a is given twice"),
        ("VALENCE_SHADOW", "sentiment", "'sentiment' is not MODEL=ALIAS:SHARE, such as"),
        ("VALENCE_SHADOW", "sentiment=:0.5", "is not MODEL=ALIAS:SHARE"),
        ("VALENCE_SHADOW", "sentiment=a:0", "a share above 0 and up to 1"),
        ("VALENCE_SHADOW", "sentiment=a:1.5", "a share above 0 and up to 1"),
        ("VALENCE_SHADOW", "sentiment=a:nan", "a share above 0 and up to 1"),
        ("VALENCE_SHADOW", "sentiment=a:much", "'sentiment=a:much' is not"),
        ("VALENCE_SHADOW", "m=a:0.1,m=b:0.1", "'m' has two challengers; give it one"),
        ("VALENCE_QUEUE_ITEMS", "9", r"queue_items \(9\) must be at least max_texts \(1024\)"),
        ("VALENCE_SAMPLE_TEXTS", "2", "a sample has three parts; give 3 or more, or 0"),
        ("VALENCE_SAMPLE_TEXTS", "3", "no database is named .* set VALENCE_FEEDBACK_DATABASE too"),
    ],
)
def test_an_invalid_value_is_named_with_its_remedy(variable, value, said):
    with pytest.raises(ConfigurationError, match=said):
        Settings.from_environment({variable: value})


def test_workers_are_a_number_or_one_for_each_core(monkeypatch):
    monkeypatch.setattr(cores, "count_cores", lambda: 12)
    assert Settings().workers == 1
    assert Settings.from_environment({"VALENCE_WORKERS": "3"}).workers == 3
    assert Settings.from_environment({"VALENCE_WORKERS": "auto"}).workers == 12


def test_the_shadows_of_models_are_read():
    settings = Settings.from_environment({"VALENCE_SHADOW": "sentiment=challenger:0.1, topic=b:1"})
    first, second = settings.shadow
    assert (first.model, first.challenger, first.share) == ("sentiment", "challenger", 0.1)
    assert (second.model, second.challenger, second.share) == ("topic", "b", 1.0)


def test_settings_are_immutable():
    with pytest.raises(ValidationError):
        Settings().max_texts = 1


def test_every_setting_has_a_description():
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize("unit", ["TEXTS", "TOKENS"])
@pytest.mark.parametrize("rate", ["-1", "inf", "nan", "5e-324", "1e13"])
def test_a_rate_that_no_limit_can_have_is_refused(unit, rate):
    """With 5e-324 a refused request would get 500, because its Retry-After is infinite."""
    with pytest.raises(ConfigurationError, match=f"VALENCE_KEY_{unit}_PER_SECOND='{rate}': a rate"):
        Settings.from_environment({f"VALENCE_KEY_{unit}_PER_SECOND": rate})
    assert not Settings().key_tokens_per_second
