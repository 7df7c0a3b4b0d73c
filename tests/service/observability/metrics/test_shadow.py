import pytest
from valence.service.classifier.classifier import Prediction
from valence.service.observability.metrics import Metrics

LABELS = ("negative", "positive")


def predict(positive, *labels):
    likeliest = LABELS[positive > 0.5]
    return Prediction(likeliest, (1 - positive, positive), None, labels or (likeliest,))


def value(metrics, name, challenger="2", **labels):
    metrics.shadow.flush()
    by_pair = {"model": "m", "version": "1", "challenger": challenger}
    return metrics._registry.get_sample_value(name, by_pair | labels)


def test_a_pair_begins_with_zeros():
    """A rate sees a first count only if a zero came before it."""
    metrics = Metrics(version="1")
    metrics.shadow.pair("m", "1", "2", LABELS)
    for outcome in ("agreed", "differed", "dropped", "failed"):
        assert value(metrics, "valence_shadow_texts_total", outcome=outcome) == 0
    for source in ("served", "challenger"):
        assert value(metrics, "valence_shadow_engine_seconds_total", source=source) == 0
        assert (
            value(metrics, "valence_shadow_predictions_total", source=source, label="negative") == 0
        )


def test_texts_count_by_the_labels_of_both_versions():
    metrics = Metrics(version="1")
    pair = metrics.shadow.pair("m", "1", "2", LABELS)
    pair.count_compared([(predict(0.9), predict(0.7)), (predict(0.8), predict(0.3))])
    pair.count_engine(served=0.25, challenger=0.5)
    pair.count_lost(3, "dropped")
    texts = "valence_shadow_texts_total"
    assert value(metrics, texts, outcome="agreed") == 1
    assert value(metrics, texts, outcome="differed") == 1
    assert value(metrics, texts, outcome="dropped") == 3
    predictions = "valence_shadow_predictions_total"
    assert value(metrics, predictions, source="served", label="positive") == 2
    assert value(metrics, predictions, source="challenger", label="positive") == 1
    assert value(metrics, predictions, source="challenger", label="negative") == 1
    difference = "valence_shadow_probability_difference"
    assert value(metrics, f"{difference}_sum") == pytest.approx(0.2 + 0.5)
    assert value(metrics, f"{difference}_bucket", le="0.3") == 1
    assert value(metrics, "valence_shadow_engine_seconds_total", source="challenger") == 0.5


def test_a_multi_label_text_agrees_if_all_its_labels_do():
    metrics = Metrics(version="1")
    pair = metrics.shadow.pair("m", "1", "2", LABELS)
    both = predict(0.6, "negative", "positive")
    pair.count_compared([(both, predict(0.6)), (both, both)])
    assert value(metrics, "valence_shadow_texts_total", outcome="agreed") == 1
    predictions = "valence_shadow_predictions_total"
    assert value(metrics, predictions, source="served", label="negative") == 2
    assert value(metrics, predictions, source="challenger", label="negative") == 1


def test_a_thousand_challengers_do_not_fill_the_exposition():
    metrics = Metrics(version="1")
    for number in range(1_000):
        metrics.shadow.pair("m", "1", str(number), LABELS).count_lost(1, "dropped")
        if number == 20:
            twenty = len(metrics.exposition())
    assert len(metrics.exposition()) < 1.1 * twenty
    assert value(metrics, "valence_shadow_texts_total", "999", outcome="dropped") == 1
    assert value(metrics, "valence_shadow_texts_total", "1", outcome="dropped") is None
