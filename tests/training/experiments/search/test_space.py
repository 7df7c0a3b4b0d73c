from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from valence.service.errors import ConfigurationError
from valence.training.config import loader
from valence.training.config.schema import Configuration
from valence.training.experiments.search import space as spaces
from valence.training.experiments.search.space import Incompatible, Space

ROOT = Path(__file__).parents[4] / "training"
CONFIGS = sorted((ROOT / "config" / "presets").glob("*.toml"))


@pytest.fixture
def declared(tmp_path: Path, configured: Callable[..., Configuration]) -> Callable[..., Space]:
    """Return a function that parses a TOML text as a space around a toy configuration."""

    def declared(content: str, **sections: dict[str, object]) -> Space:
        path = tmp_path / "space.toml"
        path.write_text(content)
        return spaces.load_space(path, configured(**sections))

    return declared


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_published_space_holds_the_published_configurations(path: Path) -> None:
    base = loader.load_configuration(path)
    space = spaces.load_space(ROOT / "experiments" / "search" / "spaces" / "default.toml", base)
    start = space.encode_base()
    assert start is not None
    assert space.make_configuration(start).as_json() == base.as_json()
    assert space.distributions.keys() == space.axes.keys()


def test_numbers_are_integers_for_integer_keys(declared: Callable[..., Space]) -> None:
    space = declared(
        "[network]\nhidden_size = { low = 4, high = 12, step = 4 }\n"
        "layers = { low = 1, high = 3 }\n"
        "[optimization]\nlearning_rate = { low = 1, high = 2 }\n"
        "clip_norm = { low = 0.1, high = 10, log = true }\n"
        'optimizer = { choices = ["adamw", "adagrad"] }\n'
    )
    assert space.distributions == {
        "network.hidden_size": IntDistribution(4, 12, step=4),
        "network.layers": IntDistribution(1, 3),
        "optimization.learning_rate": FloatDistribution(1.0, 2.0),
        "optimization.clip_norm": FloatDistribution(0.1, 10.0, log=True),
        "optimization.optimizer": CategoricalDistribution(["adamw", "adagrad"]),
    }


def test_a_number_has_three_digits_and_stays_in_its_range(
    declared: Callable[..., Space],
) -> None:
    space = declared("[optimization]\nlearning_rate = { low = 0.0012345, high = 0.0123456 }\n")

    def rate(suggested: float) -> float:
        configuration = space.make_configuration({"optimization.learning_rate": suggested})
        return configuration.optimization.learning_rate

    assert rate(0.0034567) == 0.00346
    assert rate(0.0012345) == 0.0012345
    assert rate(0.0123456) == 0.0123


def test_choices_may_be_lists_or_strings_for_lists(declared: Callable[..., Space]) -> None:
    space = declared(
        '[words]\nvectors = { choices = ["", "glove-6b-50d", ["glove-6b-50d", "mine.txt"]] }\n'
    )
    assert space.encode_base() == {"words.vectors": "[]"}
    for suggested, sources in (
        ("[]", ()),
        ('["glove-6b-50d"]', ("glove-6b-50d",)),
        ('["glove-6b-50d", "mine.txt"]', ("glove-6b-50d", "mine.txt")),
    ):
        assert space.make_configuration({"words.vectors": suggested}).words.vectors == sources


@pytest.mark.parametrize(
    ("content", "inside"),
    [
        ("[network]\nhidden_size = { low = 6, high = 8 }", True),
        ("[network]\nhidden_size = { low = 4, high = 6 }", True),
        ("[network]\nhidden_size = { low = 7, high = 9 }", False),
        ("[network]\nhidden_size = { low = 2, high = 8, step = 3 }", False),
        ('[network]\ncell = { choices = ["gru", "rnn"] }', False),
        ("[optimization]\nsteps = { low = 1, high = 9 }", False),
    ],
)
def test_the_configuration_is_inside_or_outside_the_space(
    declared: Callable[..., Space], content: str, inside: bool
) -> None:
    assert (declared(content).encode_base() is not None) is inside


def test_incompatible_values_differ_from_invalid_values(
    declared: Callable[..., Space],
) -> None:
    space = declared(
        '[words]\nvectors = { choices = ["", "glove-6b-50d"] }\n'
        "learned_size = { choices = [0, 10] }\n",
        words={"vectors": ["glove-6b-50d"]},
    )
    alone = {"words.vectors": '["glove-6b-50d"]', "words.learned_size": 0}
    assert space.make_configuration(alone).words.learned_size == 0
    with pytest.raises(Incompatible, match=r"these values together.*at least 1"):
        space.make_configuration({**alone, "words.vectors": "[]"})


def test_a_space_does_not_depend_on_its_notation(
    declared: Callable[..., Space],
) -> None:
    one = declared("[words]\nlearned_size = { low = 1, high = 9 }\n")
    other = declared("# a remark\nwords.learned_size = { high = 9.0, low = 1 }\n")
    assert one.as_json() == other.as_json()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[network]\nhiden_size = { low = 1, high = 2 }", "'network.hiden_size'; did you mean 'hi"),
        ("[netwrk]\nhidden_size = { low = 1, high = 2 }", "'netwrk'; did you mean 'network'?"),
        ("[words]\nqqq = 3", "'words.qqq'; known keys: vectors"),
        ("network = 3", "'network' is a section; put its keys under [network]"),
        (
            "[network]\nhidden_size = [1, 2]",
            "network.hidden_size = [1, 2]: give { choices = [...] }",
        ),
        ("[network]\nhidden_size = { lo = 1, high = 2 }", "unknown key 'lo'; did you mean 'low'?"),
        ("[network]\nhidden_size = { low = 1 }", "give choices = [...], or low = ... and high"),
        ("[network]\nhidden_size = { low = 3, high = 3 }", "the range from 3 to 3 is empty"),
        (
            "[network]\nhidden_size = { low = '1', high = 3 }",
            "low '1': Input should be a valid num",
        ),
        ("[network]\nhidden_size = { low = 1.5, high = 3 }", "network.hidden_size 1.5: Input sho"),
        ("[network]\nhidden_size = { low = 0, high = 3 }", "network.hidden_size 0.0: Input should"),
        (
            "[network]\nhidden_size = { low = 1, high = 3, step = 0.5 }",
            "step 0.5: the values are integers",
        ),
        ("[network]\nhidden_size = { low = 1, high = 4, step = 2 }", "above low; use 3 or 5"),
        ("[network]\nhidden_size = { low = 1, high = 4, step = 0 }", "step 0: Input should be gre"),
        ("[network]\nhidden_size = { low = 1, high = 5, step = 2, log = true }", "exclude each ot"),
        ("[network]\nbidirectional = { low = 0, high = 1 }", "not numbers; give choices = [...]"),
        ("[network]\ncell = { low = 0, high = 1 }", "network.cell 0.0: Input should be 'lstm'"),
        ("[network]\ncell = { choices = ['lstm', 'relu'] }", "network.cell 'relu': Input should b"),
        (
            "[network]\ncell = { choices = ['lstm'] }",
            "['lstm'] is not a choice; give at least two ",
        ),
        ("[network]\ncell = { choices = ['gru', 'gru'] }", "['gru', 'gru'] contains a value twice"),
        ("[network]\nlayers = { choices = [1, 1.0] }", "[1, 1] contains a value twice"),
        ("[network]\ncell = { choices = ['gru', 'rnn'], log = true }", "choices exclude low"),
        ("[regularization]\nlabel_smoothing = { low = 0, high = 0.1, log = true }", "above 0"),
        ("[regularization]\noutput_dropout = { low = 0.5, high = 1 }", "output_dropout 1.0: Input"),
        ("[optimization]\nlearning_rate = { low = nan, high = 1 }", "low nan: Input should be"),
        ("[optimization]\nseed = { low = 0, high = 9 }", "the best of several seeds is chance"),
        ("[data]\ncorpora = { choices = [['bbc'], ['vader']] }", "the same texts; in [data]"),
        ("labels = { choices = [['a', 'b'], ['a', 'c']] }", "'labels' cannot be searched: this"),
        ("[expected]\ntest = { low = 0.1, high = 0.2 }", "'expected' cannot be searched"),
        (
            "[distillation]\nweight = { low = 0.1, high = 0.9 }",
            "all trials learn from the same teacher",
        ),
        ("", "declares no keys"),
        ("[network", "not TOML"),
    ],
)
def test_an_invalid_space_is_refused_with_key_and_remedy(
    declared: Callable[..., Space], content: str, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        declared(content)
    assert "space.toml" in str(caught.value)
    assert message in str(caught.value)


def test_a_configuration_with_a_self_teacher_is_refused(
    configured: Callable[..., Configuration], tmp_path: Path
) -> None:
    (tmp_path / "space.toml").write_text("[network]\nlayers = { low = 1, high = 2 }\n")
    base = configured(distillation={"teacher": ["n-grams", "self"]})
    with pytest.raises(ConfigurationError, match="'self' would be a different teacher in each"):
        spaces.load_space(tmp_path / "space.toml", base)


def test_a_configuration_without_a_network_is_refused(
    configured: Callable[..., Configuration], tmp_path: Path
) -> None:
    (tmp_path / "space.toml").write_text("[network]\nlayers = { low = 1, high = 2 }\n")
    with pytest.raises(ConfigurationError, match="a search compares networks, and there is none"):
        spaces.load_space(tmp_path / "space.toml", configured(ngrams={"alone": True}))


def test_of_the_data_section_only_targets_can_be_searched(declared: Callable[..., Space]) -> None:
    space = declared('[data]\ntargets = { choices = ["shares", "labels"] }\n')
    assert space.make_configuration({"data.targets": "labels"}).data.targets == "labels"


def test_a_missing_space_names_the_published_ones(
    tmp_path: Path, configured: Callable[..., Configuration]
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"no such file.*training/experiments/search/spaces/"
    ):
        spaces.load_space(tmp_path / "space.toml", configured())
