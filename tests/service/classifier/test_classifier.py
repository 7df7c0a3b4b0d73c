from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import expit, softmax
from valence.service.classifier import artifact
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import (
    Classifier,
    Usage,
    WindowedText,
    read_outside,
    read_probabilities,
    to_probabilities,
)
from valence.service.classifier.truncation import TRUNCATIONS, Truncation
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import TextTooLong

LOGITS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.just(3)),
    elements=st.floats(-1e4, 1e4, width=32),
)


@pytest.fixture
def classifier(tiny_artifact: Artifact) -> Classifier:
    return Classifier(tiny_artifact)


def test_a_document_counts_read_and_unread_tokens(classifier: Classifier) -> None:
    text = "The movie wasn't VERY good, zzz! @you"
    document = classifier.encode_head(text)
    words = [classifier.artifact.vocabulary.words[index] for index in document.ids]
    assert words == ["the", "movie", "was", "n't", "very", "good", "<unk>", "<unk>", "!", "<unk>"]
    assert document.usage.characters == len(text)
    assert document.usage.tokens == document.usage.tokens_used == 10
    assert document.usage.unknown_tokens == 3
    assert not document.usage.truncated


@pytest.mark.parametrize(("tokens", "truncated"), [(49, False), (50, False), (51, True)])
def test_a_text_is_read_up_to_the_token_limit(
    classifier: Classifier, tokens: int, truncated: bool
) -> None:
    document = classifier.encode_head("good " * (tokens - 1) + "zzz")
    assert document.usage.tokens == tokens
    assert document.usage.tokens_used == len(document.ids) == min(tokens, 50)
    assert document.usage.truncated is truncated
    # unknown words are counted among the tokens that were read
    assert document.usage.unknown_tokens == (0 if truncated else 1)


@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize("text", ["", "zzz", "good " * 50])
def test_within_the_limit_every_truncation_equals_encode(
    classifier: Classifier, truncation: Truncation, text: str
) -> None:
    reading, document = classifier.encode_windows(text, truncation), classifier.encode_head(text)
    (ids,) = reading.windows
    assert ids.tolist() == document.ids.tolist()
    assert reading.usage == document.usage


def test_a_misspelled_word_is_corrected_but_counts_as_unknown(
    tiny_artifact: Artifact,
) -> None:
    words = Vocabulary(tiny_artifact.vocabulary, misspelled="nearest")
    classifier = Classifier(dataclasses.replace(tiny_artifact, vocabulary=words))
    right, wrong = (
        classifier.encode_head("good movie zzz"),
        classifier.encode_head("good moive zzz"),
    )
    assert wrong.ids.tolist() == right.ids.tolist()
    assert (right.usage.unknown_tokens, wrong.usage.unknown_tokens) == (1, 2)
    for truncation in TRUNCATIONS:
        reading = classifier.encode_windows("good moive zzz", truncation)
        assert reading.windows[0].tolist() == right.ids.tolist()
        assert reading.unknown[0].tolist() == [False, True, True]
        assert reading.usage == wrong.usage


# one token over the limit of 50: first 20 unknown words, then 11 words, then 20 known words
LONG = "zzz " * 20 + "movie " * 11 + "good " * 20


@pytest.mark.parametrize(
    ("truncation", "words", "unknown"),
    [
        ("head", {"<unk>": 20, "movie": 11, "good": 19}, 20),
        ("tail", {"<unk>": 19, "movie": 11, "good": 20}, 19),
        ("head_tail", {"<unk>": 20, "movie": 10, "good": 20}, 20),
    ],
)
def test_usage_counts_the_read_tokens_of_a_long_text(
    classifier: Classifier, truncation: Truncation, words: dict[str, int], unknown: int
) -> None:
    reading = classifier.encode_windows(LONG, truncation)
    (ids,) = reading.windows
    read = [classifier.artifact.vocabulary.words[index] for index in ids]
    assert {word: read.count(word) for word in words} == words
    assert reading.usage == (len(LONG), 51, 50, unknown, 1, False)
    assert reading.usage.truncated


def test_windows_cover_the_text_and_count_each_token_once(classifier: Classifier) -> None:
    reading = classifier.encode_windows(LONG, "window")
    assert [len(ids) for ids in reading.windows] == [50, 50]
    assert reading.weights == (50, 1)
    assert reading.usage == (len(LONG), 51, 51, 20, 2, False)
    assert not reading.usage.truncated


def test_a_longer_text_is_refused_on_request(
    classifier: Classifier,
) -> None:
    """The error names the number of tokens and the limit."""
    with pytest.raises(TextTooLong, match=r"51 tokens, the model reads 50; shorten"):
        classifier.encode_windows(LONG, "error")


@given(LOGITS)
def test_windows_combine_to_the_weighted_mean(tiny_artifact: Artifact, logits: np.ndarray) -> None:
    classifier = Classifier(tiny_artifact)
    windows = classifier.predict(logits)
    weights = tuple(range(1, len(windows) + 1))
    count = len(windows)
    marks = (np.zeros(1, np.bool_),) * count
    whole = WindowedText((np.zeros(1, np.int32),) * count, weights, Usage(0, 0, 0, 0), marks)
    first = WindowedText(whole.windows[:1], weights[:1], whole.usage, marks[:1])
    # a text of one window before and after it, each of which must keep its own answer
    before, combined, after = classifier.merge_windows(
        [first, whole, first], [windows[-1], *windows, windows[0]]
    )
    assert (before, after) == (windows[-1], windows[0])
    rows = [
        np.array(window.probabilities) * weight / sum(weights)
        for window, weight in zip(windows, weights, strict=True)
    ]
    assert combined.probabilities == pytest.approx(sum(rows), abs=1e-12)
    assert sum(combined.probabilities) == pytest.approx(1.0, abs=1e-12)
    best = combined.probabilities.index(max(combined.probabilities))
    assert combined.label == classifier.manifest.labels[best]
    assert combined.polarity == pytest.approx(
        combined.probabilities[2] - combined.probabilities[0], abs=1e-12
    )


def test_an_empty_text_is_an_empty_document(classifier: Classifier) -> None:
    document = classifier.encode_head("")
    assert document.ids.shape == (0,)
    assert document.usage == (0, 0, 0, 0, 1, True)
    assert not document.usage.truncated


@given(LOGITS, st.floats(0.05, 20.0))
def test_probabilities_are_the_softmax_over_the_temperature(
    logits: np.ndarray, temperature: float
) -> None:
    found = to_probabilities(logits, temperature=temperature)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, softmax(logits.astype(np.float64) / temperature, axis=1))
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)


@given(LOGITS)
def test_temperature_never_changes_the_first_label(logits: np.ndarray) -> None:
    for temperature in (0.5, 3.0):
        best = to_probabilities(logits, temperature=temperature).argmax(axis=1)
        rows = np.arange(len(logits))
        # up to rounding: the exponentials of two logits may be equal although the logits differ
        np.testing.assert_allclose(logits[rows, best], logits.max(axis=1), atol=1e-12)


def test_a_prediction_is_calibrated_with_the_likeliest_label(
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


def test_without_polarity_of_labels_a_prediction_has_none(tiny_artifact: Artifact) -> None:
    manifest = tiny_artifact.manifest.model_copy(update={"polarity": None})
    classifier = Classifier(dataclasses.replace(tiny_artifact, manifest=manifest))
    assert classifier.manifest is manifest
    (prediction,) = classifier.predict(np.zeros((1, 3), dtype=np.float32))
    assert prediction.polarity is None
    # among equally likely labels the first one is named
    assert prediction.label == "negative"


@given(LOGITS, st.floats(0.05, 20.0))
def test_multi_label_probabilities_are_sigmoids_of_the_logits(
    logits: np.ndarray, temperature: float
) -> None:
    found = to_probabilities(logits, temperature=temperature, task="multi_label")
    assert found.dtype == np.float64
    expected = expit(logits.astype(np.float64) / temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


def test_a_label_is_given_from_its_threshold_on(
    tmp_path: Path, save_tiny: Callable[..., Path]
) -> None:
    thresholds = {"business": 0.75, "sport": 0.25}
    loaded = artifact.load(save_tiny(tmp_path / "tags", name="tags", thresholds=thresholds))
    temperature = loaded.manifest.temperature
    # logits with probabilities of exactly 3/4 and 1/4, and just below them
    at, below = np.log(3.0) * temperature, np.nextafter(0.75, 0.0)
    classifier = Classifier(loaded)
    rows = np.array([[0.75, 0.25], [below, 0.25], [0.75, 0.2], [0.7, 0.2]])
    given = [prediction.labels for prediction in classifier._predictions(rows)]
    assert given == [("business", "sport"), ("sport",), ("business",), ()]
    both, none = classifier.predict(
        np.array([[at + 0.01, 0.01 - at], [-9.0, -8.0]], dtype=np.float32)
    )
    assert both.labels == ("business", "sport")
    assert both.label == "business"
    assert both.probabilities == pytest.approx((0.75, 0.25), abs=0.01)
    assert both.polarity is None
    assert none.labels == ()
    assert none.label == "sport"  # the likeliest label, although it is below its threshold
    assert classifier.predict(np.zeros((0, 2), dtype=np.float32)) == []


def test_a_single_label_prediction_gives_its_label(classifier: Classifier) -> None:
    for prediction in classifier.predict(np.eye(3, dtype=np.float32)):
        assert prediction.labels == (prediction.label,)


def test_without_logits_there_are_no_predictions(classifier: Classifier) -> None:
    assert classifier.predict(np.zeros((0, 3), dtype=np.float32)) == []


@given(logits=LOGITS, last=st.floats(-1e4, 1e4, width=32))
def test_the_last_logit_tells_and_changes_no_score(
    telling_folder: Path, logits: np.ndarray, last: float
) -> None:
    loaded = artifact.load(telling_folder)
    plain = dataclasses.replace(
        loaded,
        manifest=loaded.manifest.model_copy(
            update={
                "outside": None,
                "architecture": loaded.manifest.architecture.model_copy(update={"outside": False}),
            }
        ),
    )
    whole = np.concatenate([logits, np.full((len(logits), 1), last, dtype=np.float32)], axis=1)
    told = Classifier(loaded).predict(whole)
    for found, expected in zip(told, Classifier(plain).predict(logits), strict=True):
        assert found[:4] == expected[:4]
        assert found.outside == pytest.approx(expit(last), abs=1e-12)
        assert found.is_outside is (found.outside >= 0.75)
        assert (expected.outside, expected.is_outside) == (None, False)
    assert read_probabilities(whole, loaded.manifest).shape == logits.shape
    assert read_outside(whole).shape == (len(logits),)


def test_windows_are_outside_by_their_weighted_mean(telling_folder: Path) -> None:
    classifier = Classifier(artifact.load(telling_folder))
    reading = classifier.encode_windows("good " * 60, "window")
    assert len(reading.windows) == 2
    for last in (4.0, -4.0):
        logits = np.array([[1, 2, 3, 1.5], [3, 2, 1, last]], dtype=np.float32)
        (merged,) = classifier.merge_windows([reading], classifier.predict(logits))
        mean = float(np.average(expit([1.5, last]), weights=reading.weights))
        assert merged.outside == pytest.approx(mean, abs=1e-12)
        assert merged.is_outside is (mean >= 0.75)
        assert sum(merged.probabilities) == pytest.approx(1.0)
