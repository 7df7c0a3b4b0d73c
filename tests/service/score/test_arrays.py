from __future__ import annotations

import pyarrow as pa
import pytest
from valence.service.classifier.classifier import Classifier
from valence.service.errors import ConfigurationError
from valence.service.score.arrays import holds_texts, make_schema, score_array
from valence.service.score.texts import TextScorer


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_an_array_of_texts_becomes_columns_of_scores(tiny_artifact, counting_engine, kind):
    scorer = TextScorer(Classifier(tiny_artifact), counting_engine)
    texts = ["good", None, "bad movie", "zzz"]
    found = score_array(pa.array(texts).cast(kind), scorer)
    assert found.schema.equals(make_schema(scorer))
    assert found.schema.names[0] == "label"
    assert found.num_rows == len(texts)
    assert found.column("reason").to_pylist() == [None, "empty", None, "unknown_words"]
    assert found.column("tokens").to_pylist() == [1, 0, 2, 1]
    labels = tiny_artifact.manifest.labels
    for row in found.to_pylist():
        probabilities = [row[f"probability_{label}"] for label in labels]
        assert sum(probabilities) == pytest.approx(1)
        likeliest = labels[probabilities.index(max(probabilities))]
        assert row["label"] == ("uncertain" if row["reason"] else likeliest)
    alone = score_array(pa.array(["bad movie"]), scorer)
    assert alone.to_pylist() == found.slice(2, 1).to_pylist()


def test_chunks_and_dictionaries_are_scored_as_whole_texts(tiny_artifact, counting_engine):
    scorer = TextScorer(Classifier(tiny_artifact), counting_engine)
    texts = ["good", None, "bad movie", "zzz", "good", ""]
    whole = score_array(pa.array(texts), scorer)
    chunks = pa.chunked_array([texts[:2], texts[2:]])
    kind = pa.dictionary(pa.int8(), pa.large_string())
    before = sum(map(len, counting_engine.calls))
    for array in (
        chunks,
        chunks.cast(pa.string_view()),
        pa.array(texts).slice(0, 6),
        pa.array(texts).cast(kind),
        chunks.cast(kind),
        pa.chunked_array([pa.array(["x", *texts]).cast(kind).slice(1)]),
    ):
        assert score_array(array, scorer).equals(whole)
    # three arrays of six texts, and three whose five different values are scored once
    assert sum(map(len, counting_engine.calls)) - before == 3 * 6 + 3 * 5
    for empty in (pa.array([], pa.string()), pa.chunked_array([], pa.string())):
        assert score_array(empty, scorer).equals(whole.slice(0, 0))
    assert score_array(pa.nulls(2), scorer).column("reason").to_pylist() == ["empty", "empty"]


def test_an_array_of_another_type_is_refused_with_its_type(tiny_artifact, counting_engine):
    scorer = TextScorer(Classifier(tiny_artifact), counting_engine)
    with pytest.raises(ConfigurationError, match="the type double has no texts; give strings"):
        score_array(pa.array([1.5]), scorer)


def test_an_array_without_texts_is_told_by_its_type():
    assert holds_texts(pa.dictionary(pa.int8(), pa.large_string()))
    assert holds_texts(pa.null())
    assert not holds_texts(pa.int8())
    assert not holds_texts(pa.list_(pa.string()))
