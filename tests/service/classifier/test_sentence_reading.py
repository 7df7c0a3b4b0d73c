from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.manifest import Manifest, Sentences
from valence.service.classifier.sentence_reading import SentenceReader
from valence.service.classifier.vocabulary import Vocabulary

LIMIT = 20
VOCABULARY = Vocabulary(["<unk>", "good", "bad", ".", "!?", "...", "3.5", "is"])
WORD, END = 1, 3


@pytest.fixture(scope="module")
def manifest(tiny_artifact: Artifact) -> Manifest:
    reading = Sentences(longer_than=LIMIT, sharpness=2.0)
    return tiny_artifact.manifest.model_copy(update={"sentences": reading})


@pytest.fixture(scope="module")
def reader(manifest: Manifest) -> SentenceReader:
    return SentenceReader(manifest, VOCABULARY)


def lengths(reader: SentenceReader, ids: list[int]) -> list[int]:
    return [len(part) for part in reader.split(np.array(ids, dtype=np.int32))]


@given(ids=st.lists(st.integers(0, len(VOCABULARY) - 1), max_size=200))
def test_sentences_are_the_text(reader: SentenceReader, ids: list[int]) -> None:
    text = np.array(ids, dtype=np.int32)
    parts = reader.split(text)
    assert np.array_equal(np.concatenate(parts), text)
    assert all(np.array_equal(reader.split(part)[0], part) for part in parts)


def test_a_long_text_is_cut_at_the_ends_of_sentences(reader: SentenceReader) -> None:
    sentence = [WORD] * 9 + [END]
    assert lengths(reader, sentence * 2) == [20]  # not longer than the limit
    assert lengths(reader, sentence * 3) == [10, 10, 10]
    assert lengths(reader, [WORD] * 50) == [50]
    for end in VOCABULARY.words[3:6]:
        other = [*sentence[:-1], VOCABULARY.words.index(end)]
        assert lengths(reader, other * 3) == [10, 10, 10]
    assert lengths(reader, [*sentence[:-1], VOCABULARY.words.index("3.5")] * 3) == [30]


def test_short_sentences_are_read_with_their_neighbours(reader: SentenceReader) -> None:
    sentence, short = [WORD] * 9 + [END], [WORD, END]
    assert lengths(reader, [*short, *sentence, *sentence]) == [12, 10]
    assert lengths(reader, [*sentence, *sentence, *short]) == [10, 12]
    assert lengths(reader, short * 11) == [8, 14]


def test_sentences_with_a_feeling_count_most(reader: SentenceReader) -> None:
    plain, happy, angry = [0.0, 5.0, 0.0], [0.0, 0.0, 5.0], [5.0, 0.0, 0.0]
    logits = np.array([plain, plain, plain, happy], dtype=np.float32)
    weights = reader.weigh(logits)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[3] > 10 * weights[0]
    assert reader.merge(logits).argmax() == 2
    assert reader.merge(np.array([plain] * 4, dtype=np.float32)).argmax() == 1
    assert reader.merge(np.array([angry, angry, happy], dtype=np.float32)).argmax() == 0


def test_one_sentence_keeps_its_logits(reader: SentenceReader) -> None:
    logits = np.array([[0.3, -1.0, 2.0]], dtype=np.float32)
    assert np.array_equal(reader.merge(logits), logits[0])


def test_sharpness_is_an_exponent_of_the_mean(manifest: Manifest) -> None:
    logits = np.array([[2.0, 0.0, -1.0], [-1.0, 0.0, 1.5]], dtype=np.float32)
    odds = []
    for sharpness in (1.0, 2.0):
        reading = Sentences(longer_than=LIMIT, sharpness=sharpness)
        reader = SentenceReader(manifest.model_copy(update={"sentences": reading}), VOCABULARY)
        merged = reader.merge(logits).astype(np.float64) / manifest.temperature
        odds.append(merged[0] - merged[2])
    assert odds[1] == pytest.approx(2.0 * odds[0], rel=1e-5)


def test_sure_and_opposite_sentences_give_finite_logits(reader: SentenceReader) -> None:
    logits = np.array([[1e4, 0.0, -1e4], [1e4, -1e4, 0.0]], dtype=np.float32)
    assert np.isfinite(reader.merge(logits)).all()


def test_a_model_without_the_setting_has_no_reader(tiny_artifact: Artifact) -> None:
    with pytest.raises(ValueError, match="no sentences"):
        SentenceReader(tiny_artifact.manifest, VOCABULARY)
