from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from valence.service.errors import ConfigurationError
from valence.training.config.loader import load_configuration, parse_configuration
from valence.training.config.schema import Configuration
from valence.training.corpora import catalog

CONFIGS = sorted((Path(__file__).parents[3] / "training" / "config" / "presets").glob("*.toml"))
LEAST: dict[str, Any] = {"name": "mine", "labels": ["a", "b"], "data": {"corpora": ["vader"]}}
EXPECTED = {"test": 0.5, "ece": 0.1, "minutes": 1.0}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_published_configuration_loads_and_fits_its_corpora(path: Path) -> None:
    configuration = load_configuration(path)
    assert configuration.name == path.stem
    known = {name for c in configuration.data.corpora for name in catalog.CORPORA[c].labels}
    assert known <= set(configuration.labels)


def test_published_configurations_exist() -> None:
    assert {"sentiment", "topic"} <= {path.stem for path in CONFIGS}


def test_a_configuration_survives_its_manifest() -> None:
    configuration = parse_configuration({**LEAST, "expected": EXPECTED}, source="here")
    assert (
        parse_configuration(configuration.model_dump(mode="json"), source="there") == configuration
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lables": ["a"]}, "unknown key 'lables'; did you mean 'labels'?"),
        (
            {"zzz": 1},
            "unknown key 'zzz'; known keys: name, task, labels, polarity, data, text, words",
        ),
        ({"network": {"hiden_size": 1}}, "unknown key 'network.hiden_size'; did you mean 'hidden"),
        (
            {"optimization": {"learning_rat": 1}},
            "'optimization.learning_rat'; did you mean 'learning_rate'",
        ),
        (
            {"words": {"qqq": 1}},
            (
                "'words.qqq'; known keys: vectors, encoder_size, in_domain_size, trainable, "
                "tuned_words, learned_size, unseen"
            ),
        ),
        ({"expected": {**EXPECTED, "minuts": 1}}, "'expected.minuts'; did you mean 'minutes'"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_key(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration({**LEAST, **change}, source="mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": {"cell": "transformer"}}, "network.cell 'transformer': Input should be"),
        ({"network": {"layers": 0}}, "network.layers 0: Input should be greater"),
        ({"regularization": {"word_dropout": 1.0}}, "regularization.word_dropout 1.0: "),
        ({"optimization": {"learning_rate": -1.0}}, "optimization.learning_rate -1.0: "),
        ({"optimization": {"learning_rate": float("inf")}}, "finite"),
        ({"optimization": {"clip_norm": float("nan")}}, "optimization.clip_norm nan: "),
        ({"optimization": {"epochs": "many"}}, "optimization.epochs 'many': "),
        ({"name": "Not A Name"}, "name 'Not A Name': "),
        ({"labels": ["a"]}, "labels ['a']: "),
        ({"labels": ["a", "a"]}, "have a label twice"),
        ({"polarity": {"a": 1.0}}, "polarity has values for ['a'], but the labels are ['a', 'b']"),
        ({"polarity": {"a": 1.0, "b": -3.0}}, "must lie in [-1, 1]"),
        ({"data": {"corpora": []}}, "name corpora, or files of your own"),
        ({"data": {}}, "name corpora, or files of your own"),
        ({"data": {"files": "a.csv", "text": "x", "label": "x"}}, "both column 'x'; name two"),
        ({"data": {"files": "a.csv", "label_separator": ""}}, "data.label_separator '': "),
        (
            {"task": "multi_label", "polarity": {"a": 1.0, "b": -1.0}},
            "polarity is for single_label classifiers; leave it out",
        ),
        (
            {"data": {"corpora": ["vader"], "dev": "d.csv"}},
            "name the files of training texts by files",
        ),
        (
            {"data": {"files": "a.csv", "dev": "d.csv", "streamed": True}},
            "streamed texts are split by their hash; leave out dev and split",
        ),
        (
            {"counterfactuals": {"emoji": 0.1}},
            "counterfactuals are for labels with a polarity; add `polarity`, or leave the section",
        ),
        (
            {"text": {"sentences_above": 64}},
            "text.sentences_above = 64: sentences weigh by their polarity; add `polarity`",
        ),
        (
            {"words": {"tuned_words": 9, "trainable": False}},
            "words.tuned_words = 9 and words.trainable = false: set trainable = true",
        ),
        ({"data": {"files": "a.csv", "split": "random"}}, "data.split 'random': "),
        (
            {"task": "multi_label", "data": {"files": "a.csv", "class_weights": "balanced"}},
            "class_weights are for single_label classifiers",
        ),
        (
            {"data": {"files": "a.csv", "streamed": True, "class_weights": "balanced"}},
            "class_weights need the counts of all labels",
        ),
        ({"ngrams": {"words": 4}}, "ngrams.words 4: "),
        ({"ngrams": {"alone": True, "share": 0.5}}, "share is that of a sum, and n-grams alone"),
        ({"ngrams": {"vectors": ["in-domain"]}}, "learnt from the same texts as the n-grams"),
        (
            {"ngrams": {"alone": True}, "distillation": {"teacher": "self"}},
            "n-grams alone have none",
        ),
        ({"words": {"vectors": "", "learned_size": 0}}, "learned_size must be at least 1"),
        ({"words": {"vectors": ["a", "a"]}}, "vectors ['a', 'a']: a source is named twice"),
    ],
)
def test_an_invalid_value_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration({**LEAST, **change}, source="mine.toml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faults_are_reported_together() -> None:
    with pytest.raises(ConfigurationError, match=r"layers 0.*; unknown key 'colour'"):
        parse_configuration(
            {**LEAST, "network": {"layers": 0}, "colour": "blue"}, source="mine.toml"
        )


def test_a_missing_or_invalid_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"absent.toml: no such file.*training/config/presets"
    ):
        load_configuration(tmp_path / "absent.toml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_configuration(tmp_path)
    broken = tmp_path / "broken.toml"
    for content in (b"name = ", b"\xff\xfe"):
        broken.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"broken.toml: not TOML"):
            load_configuration(broken)


def test_values_missing_in_a_file_have_their_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nlabels = ["a", "b"]\n[data]\ncorpora = ["vader"]\n[network]\ncell = "gru"\n'
    )
    configuration = load_configuration(path)
    assert configuration.network.cell == "gru"
    assert configuration == Configuration.model_validate({**LEAST, "network": {"cell": "gru"}})


@pytest.mark.parametrize(
    ("written", "read"),
    [("", ()), (None, ()), ([], ()), ("a.txt", ("a.txt",)), (["a", "b"], ("a", "b"))],
)
def test_a_configuration_has_any_number_of_vectors(written: object, read: tuple[str, ...]) -> None:
    assert (
        parse_configuration({**LEAST, "words": {"vectors": written}}, source="x").words.vectors
        == read
    )


@pytest.mark.parametrize(
    ("written", "read"), [("n-grams", ("n-grams",)), (["self", "mine"], ("self", "mine"))]
)
def test_a_configuration_has_one_or_several_teachers(
    written: object, read: tuple[str, ...]
) -> None:
    made = parse_configuration(
        {**LEAST, "distillation": {"teacher": written}}, source="x"
    ).distillation
    assert made is not None
    assert made.teacher == read


@pytest.mark.parametrize(
    ("distillation", "message"),
    [
        ({"teacher": []}, "distillation.teacher []: Tuple should have at least 1 item"),
        ({"teacher": ["self", "self"]}, "teacher ['self', 'self']: a teacher is named twice"),
        ({"teacher": "n-grams", "networks": 3}, "networks = 3 is for sentence encoders, and"),
        ({"teacher": ["n-grams", "self"], "epochs": 9}, "names none; leave epochs out, or name"),
        ({"teacher": "self", "learning_rate": 0.1}, "learning_rate = 0.1 is for sentence encoders"),
    ],
)
def test_a_setting_that_no_teacher_uses_is_refused(
    distillation: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration({**LEAST, "distillation": distillation}, source="mine.toml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"unlabelled": {"files": "more.csv"}},
            "only a teacher or in-domain vectors use unlabelled texts; add [distillation], or",
        ),
        (
            {"unlabelled": {}, "words": {"vectors": "in-domain"}},
            "unlabelled {}: Value error, name corpora, or files of your own",
        ),
    ],
)
def test_unlabelled_texts_need_files_and_a_use(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration({**LEAST, **change}, source="mine.toml")
    assert message in str(caught.value)
