from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import valence
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted
from valence.service.classifier import artifact
from valence.service.errors import ArtifactError, ConfigurationError, InvalidTexts
from valence.service.estimator import text_classifier

TEXTS = ["good", "bad movie", "", "zzz", "not very good !", "the movie was bad and good . " * 9]
SECRET = "a secret of a user " * 40


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> valence.TextClassifier:
    return valence.load(tiny_folder)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, save_tiny: Callable[..., Path]):
    """A multi-label model."""
    folder = tmp_path_factory.mktemp("several") / "tags"
    return valence.load(save_tiny(folder, name="tags", thresholds={"business": 0.4, "sport": 0.6}))


def test_labels_and_probabilities_are_those_of_results(model):
    results = model(TEXTS)
    assert model.predict(TEXTS).tolist() == [result["label"] for result in results]
    assert [result.get("reason") for result in results] == [
        *(None, None, "empty", "unknown_words"),
        *(None, None),
    ]
    for row, result in zip(model.predict_proba(TEXTS), results, strict=True):
        scores = {one["label"]: one["score"] for one in result["scores"]}
        assert dict(zip(model.classes_.tolist(), row.tolist(), strict=True)) == scores


def test_one_text_has_one_result(model):
    assert model("good") == model(["good"])[0]
    for method in (model.predict, model.predict_proba, model.explain):
        with pytest.raises(InvalidTexts, match="list"):
            method("good")


def test_no_texts_have_no_rows(model, several):
    assert model([]) == []
    assert model.explain([]) == []
    assert model.predict([]).shape == (0,)
    assert model.predict_proba([]).shape == (0, 3)
    assert several.predict([]).shape == (0, 2)


def test_classes_are_in_the_order_of_scikit_learn(tmp_path, save_tiny, monkeypatch):
    """Its metrics read the columns of probabilities in the order of the sorted labels."""
    model = valence.load(save_tiny(tmp_path / "m"))
    manifest = model.manifest
    monkeypatch.setattr(artifact, "load", lambda folder, load=artifact.load: _rename(load(folder)))
    renamed = valence.load(tmp_path / "m")
    assert manifest.labels == ("negative", "neutral", "positive")
    assert renamed.classes_.tolist() == ["a", "m", "z"]
    assert np.array_equal(renamed.predict_proba(TEXTS), model.predict_proba(TEXTS)[:, [2, 1, 0]])
    truth = ["a", "z", "m", "z", "a", "a"]
    assert log_loss(truth, renamed.predict_proba(TEXTS)) == pytest.approx(
        -np.mean(
            [
                np.log({s["label"]: s["score"] for s in result["scores"]}[label])
                for label, result in zip(truth, renamed(TEXTS), strict=True)
            ]
        )
    )


def _rename(loaded):
    """The artifact with labels whose order is not that of the alphabet."""
    import dataclasses

    labels = ("z", "m", "a")
    manifest = loaded.manifest.model_copy(update={"labels": labels, "polarity": None})
    return dataclasses.replace(loaded, manifest=manifest)


def test_many_texts_are_scored_in_parts(model, monkeypatch):
    whole = model.predict_proba(TEXTS * 3)
    monkeypatch.setattr(text_classifier, "_PART", 4)
    assert model.predict_proba(TEXTS * 3) == pytest.approx(whole, abs=1e-3)
    with pytest.raises(InvalidTexts, match="row 9 "):
        model.predict([*["good"] * 9, None])


def test_a_text_that_cannot_be_scored_is_named_by_its_row(tiny_folder, monkeypatch):
    model = valence.load(tiny_folder, truncation="error")
    monkeypatch.setattr(text_classifier, "_PART", 2)
    with pytest.raises(InvalidTexts, match=r"row 3 .*200 tokens, the model reads 50") as refused:
        model.predict(["good", "good", "good", SECRET[:-1]])
    assert "secret" not in str(refused.value)
    with pytest.raises(InvalidTexts, match=r"row 1 .*missing"):
        model(["good", None])


def test_options_are_those_of_the_service(tiny_folder):
    sure = valence.load(tiny_folder, min_confidence=0.999, unreadable="label")
    assert set(sure.predict(TEXTS)) == {"uncertain"}
    assert sure(TEXTS)[0]["reason"] == "min_confidence"
    read = valence.load(tiny_folder, unreadable="label")
    assert set(read.predict(TEXTS)) <= set(read.classes_)
    windows = valence.load(tiny_folder, truncation="window")
    assert windows(TEXTS)[-1]["usage"]["windows"] == 2


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"truncation": "middle"}, "truncation='middle'.*'head'"),
        ({"min_confidence": 1.5}, "min_confidence=1.5.*less than or equal to 1"),
        ({"unreadable": "no"}, "unreadable='no'"),
        ({"engine": "gpu"}, "'gpu' is not an engine; choose one of auto, native"),
        ({"engine": "native-mmx"}, "not a dispatch path"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(tiny_folder, options, fault):
    with pytest.raises(ConfigurationError, match=fault):
        valence.load(tiny_folder, **options)


def test_a_damaged_folder_is_refused(tmp_path, save_tiny):
    folder = save_tiny(tmp_path / "model")
    (folder / "vocabulary.txt").write_text("changed")
    with pytest.raises(ArtifactError, match="checksum"):
        valence.load(folder)


@pytest.mark.parametrize("truncation", ["head", "tail", "window"])
def test_explanations_add_up_and_name_words(tiny_folder, truncation):
    model = valence.load(tiny_folder, truncation=truncation)
    labels = [max(result["scores"], key=lambda s: s["score"])["label"] for result in model(TEXTS)]
    for text, label, found in zip(TEXTS, labels, model.explain(TEXTS), strict=True):
        assert found.label == label
        assert found.sum == pytest.approx(found.logit - found.baseline_logit, abs=1e-4)
        words = [text[token["start"] : token["end"]] for token in found.tokens]
        assert words == text.split()


def test_a_multi_label_model_predicts_a_column_for_each_class(several):
    assert several.classes_.tolist() == ["business", "sport"]
    table = several.predict(TEXTS)
    assert table.tolist() == [
        [int(label in result["labels"]) for label in ("business", "sport")]
        for result in several(TEXTS)
    ]
    assert several.score(TEXTS, table) == accuracy_score(table, several.predict(TEXTS)) == 1


def test_scikit_learn_takes_the_model_as_a_fitted_classifier(model):
    check_is_fitted(model)
    assert is_classifier(model)
    assert clone(model) is model
    assert model.fit(TEXTS, ["positive"] * 6) is model
    assert "source" in model.get_params()


def test_scikit_learn_scores_the_model_in_folds(model):
    labels = ["positive", "negative", "neutral"] * 4
    texts = pd.Series(TEXTS * 2)
    right = [text == label for text, label in zip(model.predict(texts), labels, strict=True)]
    for classifier in (model, FrozenEstimator(model)):
        scores = cross_val_score(classifier, texts, labels, cv=3)
        assert scores.mean() == pytest.approx(np.mean(right))
        losses = cross_val_score(classifier, texts, labels, cv=2, scoring="neg_log_loss")
        assert np.isfinite(losses).all()
    chosen = cross_val_predict(model, texts, labels, cv=3, method="predict_proba")
    assert chosen.shape == (12, 3)


def test_scikit_learn_uses_the_model_in_a_pipeline(model):
    def lower(texts):
        return [text.lower() for text in texts]

    pipeline = make_pipeline(FunctionTransformer(lower), model)
    shouted = [text.upper() for text in TEXTS]
    labels = ["positive", "negative"] * 3
    assert pipeline.fit(shouted, labels).predict(shouted).tolist() == model.predict(TEXTS).tolist()
    assert pipeline.score(shouted, labels) == accuracy_score(labels, model.predict(TEXTS))
    assert "TextClassifier" in repr(pipeline)
    assert "TextClassifier" in pipeline._repr_html_()
    search = GridSearchCV(
        pipeline, {"functiontransformer__kw_args": [None, {}]}, cv=2, error_score="raise"
    )
    assert search.fit(shouted, labels).predict(shouted).shape == (6,)


def test_a_score_weighs_texts(model):
    labels = [model.predict(["good"])[0], "nothing"]
    assert model.score(["good", "good"], labels) == 0.5
    assert model.score(["good", "good"], labels, sample_weight=[3, 1]) == 0.75


def test_a_copy_is_made_from_the_same_folder(tiny_folder):
    model = valence.load(tiny_folder, unreadable="label", engine="reference")
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again.get_params() == model.get_params()
        assert again.engine == model.engine == "reference-cpu"
        assert np.array_equal(again.predict_proba(TEXTS), model.predict_proba(TEXTS))


def test_threads_use_one_model_at_once(model):
    expected = model.predict_proba(TEXTS)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: model.predict_proba(TEXTS), range(64)))
        explained = list(pool.map(lambda _: model.explain(TEXTS[:2])[1].sum, range(16)))
    assert all(np.array_equal(answer, expected) for answer in answers)
    assert len(set(explained)) == 1


def test_strange_characters_are_texts_too(model):
    strange = ["\ud800", "\0", "\u202e", "e\u0301" * 99, " \n\t", "😀" * 500]
    assert model.predict_proba(strange).sum(axis=1) == pytest.approx(np.ones(6))


def _loaded_modules(code: str) -> set[str]:
    """The modules that are no part of Python after ``code``, by package."""
    whole = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", whole],
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return {
        name
        for name in done.stdout.split()
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not name.startswith("_sysconfigdata")
    }


def test_the_import_loads_nothing_but_the_version():
    """Modules are counted, not seconds."""
    assert _loaded_modules("import valence; valence.__version__; dir(valence)") == {
        "valence",
        "valence.service",
        "valence.service.version",
    }


def test_a_prediction_needs_no_more_than_the_base_packages(tiny_folder):
    loaded = _loaded_modules(
        f"import valence\nvalence.load({str(tiny_folder)!r})(['good'])\n"
        f"valence.load({str(tiny_folder)!r}).explain(['good'])"
    )
    packages = {name.partition(".")[0] for name in loaded} - {"valence"}
    assert packages <= {
        *("numpy", "pydantic", "pydantic_core", "safetensors"),
        *("annotated_types", "typing_extensions", "typing_inspection"),
    }


def test_every_public_name_exists():
    assert set(valence.__all__) <= set(dir(valence))
    for name in valence.__all__:
        assert getattr(valence, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        valence.nothing  # noqa: B018
