import dataclasses

import numpy as np
import pytest
from valence.service.classifier.classifier import Classifier
from valence.service.errors import ConfigurationError
from valence.service.inference.engines.reference import ReferenceEngine
from valence.training.evaluation import explanation_faithfulness


@pytest.fixture
def sentiment(tiny_artifact):
    """Return a network whose answer depends strongly on "good" and "bad", and on no other word."""
    random = np.random.default_rng(3)
    tensors = {
        name: (0.05 * random.standard_normal(value.shape)).astype(np.float32)
        for name, value in tiny_artifact.tensors.items()
    }
    embedding = np.zeros_like(tensors["embedding.weight"])
    embedding[1], embedding[2] = 3.0, -3.0
    tensors["embedding.weight"] = embedding
    units = tiny_artifact.manifest.architecture.hidden_size
    for direction in ("", "_reverse"):
        weights = tensors[f"recurrent.weight_ih_l0{direction}"]
        weights[2 * units : 3 * units] = 1.0  # the candidate follows the word
    tensors["output.weight"][2], tensors["output.weight"][0] = 2.0, -2.0
    return dataclasses.replace(tiny_artifact, tensors=tensors)


def test_important_words_are_distinguished_from_others(sentiment):
    texts = ["the good movie was a very good movie and not the good"] * 5 + ["bad movie"]
    found = explanation_faithfulness.measure_faithfulness(
        Classifier(sentiment), ReferenceEngine(sentiment), texts, label="positive"
    )
    assert (found.label, found.texts) == ("positive", 5)
    assert found.wins > 0.95
    assert found.fall > found.random_fall
    assert found.max_completeness_error < 0.01
    again = explanation_faithfulness.measure_faithfulness(
        Classifier(sentiment), ReferenceEngine(sentiment), texts, label="positive"
    )
    assert again == found


def test_texts_that_cannot_be_judged_are_reported(sentiment):
    judge = Classifier(sentiment), ReferenceEngine(sentiment)
    with pytest.raises(ConfigurationError, match="no label 'happy'; the model has negative"):
        explanation_faithfulness.measure_faithfulness(*judge, ["good"], label="happy")
    with pytest.raises(ConfigurationError, match="the model labels no text 'positive'"):
        # of three tokens all would be deleted
        explanation_faithfulness.measure_faithfulness(
            *judge, ["good good good", "the movie"], label="positive"
        )
