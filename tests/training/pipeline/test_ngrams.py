"""Whole trainings of n-grams, alone and beside a network, on a toy corpus."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.service.errors import ConfigurationError
from valence.service.inference import warm_up
from valence.service.inference.engines import factory
from valence.service.observability.log import Log
from valence.training.config.loader import parse_configuration
from valence.training.config.schema import Configuration
from valence.training.data import preparation
from valence.training.data.split import split_by_hash
from valence.training.pipeline import training_run
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.report import model_card
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

from tests.training.conftest import toy_examples

pytestmark = pytest.mark.integration


@pytest.fixture
def train(
    workspace: Workspace, configured: Callable[..., Configuration], silent: type[Reporter]
) -> Callable[..., Trained]:
    def train(**sections: dict[str, object]) -> Trained:
        return training_run.train_classifier(
            configured(**sections), run=Run(workspace, silent()), with_baselines=False
        )

    return train


@pytest.mark.parametrize("alone", [True, False])
def test_ngrams_are_trained_stored_and_served(
    train: Callable[..., Trained], *, alone: bool
) -> None:
    made = train(ngrams={"alone": alone})
    loaded = artifact.load(store.find_model(made.tag))
    architecture = loaded.manifest.architecture
    assert (architecture.layers > 0, architecture.ngrams > 0) == (not alone, True)
    assert ("embedding.weight" in loaded.tensors) is not alone
    classifier = Classifier(loaded)
    engine = factory.create(loaded, name="auto", log=Log(io.StringIO()))
    warm_up.check_answers(classifier, engine)
    test = split_by_hash(toy_examples()).test
    documents = [classifier.encode_head(example.text).ids for example in test]
    predictions = classifier.predict(engine.logits(documents))
    right = [one.label == example.label for one, example in zip(predictions, test, strict=True)]
    assert np.mean(right) == pytest.approx(made.evaluations["test"].accuracy)
    assert np.mean(right) > 0.9
    assert (loaded.manifest.training.epochs == 0) is alone
    card = model_card.render_model_card(loaded.manifest)
    assert ("A linear model over n-grams of words that predicts" in card) is alone


def test_ngrams_learn_several_labels(workspace: Workspace, silent: type[Reporter]) -> None:
    lines = [
        f"{example.text},{example.label}|{'short' if 'the end' in example.text else 'long'}"
        for example in toy_examples()
    ]
    path = workspace.root / "several.csv"
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    content = {
        "name": "several",
        "task": "multi_label",
        "labels": ["long", "negative", "neutral", "positive", "short"],
        "data": {"files": str(path)},
        "ngrams": {"alone": True},
    }
    made = training_run.train_classifier(
        parse_configuration(content, source="the test"),
        run=Run(workspace, silent()),
        with_baselines=False,
        unchecked=True,
    )
    assert made.evaluations["test"].macro_f1 > 0.9


def test_ngrams_of_streamed_texts_are_refused(
    configured: Callable[..., Configuration], workspace: Workspace, silent: type[Reporter]
) -> None:
    path = workspace.root / "many.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{example.text},{example.label}" for example in toy_examples()]
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    chosen = configured(data={"corpora": [], "files": str(path), "streamed": True}, ngrams={})
    with pytest.raises(ConfigurationError, match=r"ngrams: .*streamed = false"):
        preparation.load_texts(chosen, Run(workspace, silent()))
