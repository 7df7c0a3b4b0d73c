from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import softmax

from service.classifier.artifact import Artifact
from service.classifier.classifier import Classifier, probabilities

LOGITS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.just(3)),
    elements=st.floats(-1e4, 1e4, width=32),
)


@pytest.fixture
def classifier(tiny_artifact: Artifact) -> Classifier:
    return Classifier(tiny_artifact)


def test_a_document_says_what_was_read_and_what_not(classifier: Classifier) -> None:
    text = "The movie wasn't VERY good, zzz! @you"
    document = classifier.encode(text)
    words = [classifier.artifact.vocabulary.words[index] for index in document.ids]
    assert words == ["the", "movie", "was", "n't", "very", "good", "<unk>", "<unk>", "!", "<unk>"]
    assert document.usage.characters == len(text)
    assert document.usage.tokens == document.usage.tokens_used == 10
    assert document.usage.unknown_tokens == 3
    assert not document.usage.truncated


@pytest.mark.parametrize(("tokens", "truncated"), [(49, False), (50, False), (51, True)])
def test_a_text_is_read_up_to_the_limit(
    classifier: Classifier, tokens: int, truncated: bool
) -> None:
    document = classifier.encode("good " * (tokens - 1) + "zzz")
    assert document.usage.tokens == tokens
    assert document.usage.tokens_used == len(document.ids) == min(tokens, 50)
    assert document.usage.truncated is truncated
    # unknown words are counted among those that were read
    assert document.usage.unknown_tokens == (0 if truncated else 1)


def test_an_empty_text_is_an_empty_document(classifier: Classifier) -> None:
    document = classifier.encode("")
    assert document.ids.shape == (0,)
    assert document.usage == (0, 0, 0, 0)
    assert not document.usage.truncated


@given(LOGITS, st.floats(0.05, 20.0))
def test_probabilities_are_the_softmax_of_the_logits_over_the_temperature(
    logits: np.ndarray, temperature: float
) -> None:
    found = probabilities(logits, temperature=temperature)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, softmax(logits.astype(np.float64) / temperature, axis=1))
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)


@given(LOGITS)
def test_temperature_never_changes_which_label_is_first(logits: np.ndarray) -> None:
    for temperature in (0.5, 3.0):
        best = probabilities(logits, temperature=temperature).argmax(axis=1)
        rows = np.arange(len(logits))
        # up to rounding: logits may differ by less than their exponentials can tell
        np.testing.assert_allclose(logits[rows, best], logits.max(axis=1), atol=1e-12)


def test_a_prediction_is_calibrated_and_names_the_likeliest_label(
    classifier: Classifier, tiny_artifact: Artifact
) -> None:
    logits = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 5.0]], dtype=np.float32)
    first, second = classifier.predict(logits)
    expected = softmax(logits.astype(np.float64) / tiny_artifact.manifest.temperature, axis=1)
    assert (first.label, second.label) == ("negative", "positive")
    assert first.probabilities == pytest.approx(expected[0])
    assert first.polarity == pytest.approx(expected[0, 2] - expected[0, 0])
    assert second.polarity == pytest.approx(expected[1, 2] - expected[1, 0])


@given(LOGITS)
def test_polarity_lies_between_minus_one_and_one(
    tiny_artifact: Artifact, logits: np.ndarray
) -> None:
    for prediction in Classifier(tiny_artifact).predict(logits):
        assert prediction.polarity is not None
        assert -1.0 <= prediction.polarity <= 1.0


def test_labels_without_polarity_get_none(tiny_artifact: Artifact) -> None:
    manifest = tiny_artifact.manifest.model_copy(update={"polarity": None})
    classifier = Classifier(dataclasses.replace(tiny_artifact, manifest=manifest))
    assert classifier.manifest is manifest
    (prediction,) = classifier.predict(np.zeros((1, 3), dtype=np.float32))
    assert prediction.polarity is None
    # of equally likely labels the first is named
    assert prediction.label == "negative"


def test_no_logits_are_no_predictions(classifier: Classifier) -> None:
    assert classifier.predict(np.zeros((0, 3), dtype=np.float32)) == []
