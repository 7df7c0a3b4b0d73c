import json

import pytest
from valence.service.classifier.classifier import Prediction
from valence.service.errors import ConfigurationError
from valence.service.observability.metrics import Metrics
from valence.training.shadow.evidence import Evidence, sum_evidence

LABELS = ("negative", "positive")


def predict(label: str) -> Prediction:
    positive = 0.9 if label == "positive" else 0.2
    return Prediction(label, (1 - positive, positive), None, (label,))


def expose(*, agreed: int, differed: int, challenger: str = "2", name: str = "m") -> str:
    """Return the metrics of a server that has compared texts."""
    metrics = Metrics(version="1")
    metrics.shadow.begin(name, 0.1)
    pair = metrics.shadow.pair(name, "1", challenger, LABELS)
    pair.count_compared([(predict("positive"), predict("positive"))] * agreed)
    pair.count_compared([(predict("positive"), predict("negative"))] * differed)
    pair.count_engine(served=1.0, challenger=1.5)
    pair.count_lost(3, "dropped")
    pair.count_lost(2, "failed")
    metrics.shadow.flush()
    return metrics.exposition().decode()


def test_the_counts_of_all_servers_are_added():
    report = sum_evidence("m", [expose(agreed=80, differed=5), expose(agreed=10, differed=5)])
    assert report.share == 0.1
    (pair,) = report.pairs
    assert (pair.model, pair.version, pair.challenger, pair.servers) == ("m", "1", "2", 2)
    assert (pair.texts, pair.agreed, pair.differed) == (100, 90, 10)
    assert (pair.dropped, pair.failed) == (6, 4)
    assert pair.agreement == 0.9
    assert pair.label_shift == pytest.approx(0.1)
    assert pair.served_labels == {"positive": 100}
    assert pair.challenger_labels == {"positive": 90, "negative": 10}
    assert pair.probability_difference == pytest.approx(10 * 0.7 / 100)
    assert pair.time_ratio == pytest.approx(1.5)


def test_a_server_without_a_text_of_the_pair_counts_not():
    report = sum_evidence(
        "m", [expose(agreed=1, differed=0), expose(agreed=1, differed=0, name="x")]
    )
    assert report.pairs[0].servers == 1


def test_the_pair_with_the_most_texts_comes_first():
    report = sum_evidence(
        "m", [expose(agreed=1, differed=0), expose(agreed=9, differed=0, challenger="3")]
    )
    assert [pair.challenger for pair in report.pairs] == ["3", "2"]
    assert report.find("1", "2").agreed == 1
    missing = report.find("1", "4")
    assert (missing.texts, missing.agreement, missing.time_ratio) == (0, None, None)


@pytest.mark.parametrize(
    ("agreed", "differed", "low", "high"),
    [(90, 10, 0.8256, 0.9448), (10, 0, 0.7225, 1.0), (0, 5, 0.0, 0.4345)],
)
def test_the_interval_of_the_agreement_is_that_of_wilson(agreed, differed, low, high):
    """The values are those that statsmodels gives (proportion_confint, method wilson)."""
    pair = Evidence(
        model="m", version="1", challenger="2", servers=1, agreed=agreed, differed=differed
    )
    assert pair.agreement_interval == pytest.approx((low, high), abs=5e-5)


def test_the_figures_of_a_report_are_json():
    report = sum_evidence("m", [expose(agreed=3, differed=1)])
    (pair,) = json.loads(json.dumps(report.model_dump()))["pairs"]
    assert (pair["texts"], pair["agreement"]) == (4, 0.75)
    assert len(pair["agreement_interval"]) == 2


@pytest.mark.parametrize(
    "text",
    ["<html>", "valence_shadow_texts_total{", 'valence_shadow_texts_total{model="m"} 1'],
)
def test_what_is_no_metrics_is_refused(text):
    with pytest.raises(ConfigurationError, match=r"does not hold metrics.*name the address"):
        sum_evidence("m", [text])


def test_a_server_without_shadows_has_no_share():
    report = sum_evidence("m", [Metrics(version="1").exposition().decode()])
    assert (report.share, report.pairs) == (None, ())
