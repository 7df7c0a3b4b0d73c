"""Quality of what was served, on a few records computed by hand."""

import pytest
from valence.service.feedback.record import Record
from valence.training.evaluation.served import measure


def make(number, predicted, truth, score=0.75, **fields):
    given = {"model": "topic", "version": "1", "received": 9.0, **fields}
    return Record(
        id=f"{number}", time=float(number), predicted=predicted, score=score, truth=truth, **given
    )


def test_accuracy_macro_f1_and_calibration_of_a_version():
    records = [
        make(1, ("sport",), ("sport",)),
        make(2, ("sport",), ("sport",)),
        make(3, ("sport",), ("business",)),
        make(4, ("business",), ("business",)),
    ]
    (report,) = measure(records)
    assert (report.model, report.version, report.texts, report.unknown) == ("topic", "1", 4, 0)
    assert (report.first, report.last) == (1.0, 4.0)
    figures = report.figures
    assert figures["accuracy"].value == 0.75
    # F1 of sport: 2 * 2 / (3 + 2), of business: 2 * 1 / (1 + 2)
    assert figures["macro-F1"].value == pytest.approx((0.8 + 2 / 3) / 2)
    assert figures["calibration error"].value == pytest.approx(0.0)
    assert figures["accuracy"].low < 0.75 < figures["accuracy"].high


def test_what_was_not_said_does_not_count():
    (report,) = measure([make(1, None, ("sport",), None), make(2, ("sport",), ("sport",))])
    assert (report.texts, report.unknown, report.figures["accuracy"].value) == (2, 1, 1.0)
    (report,) = measure([make(1, None, ("sport",), None)])
    assert report.figures == {}


def test_versions_have_reports_of_their_own_in_order():
    records = [
        make(1, ("sport",), ("sport",), version="2"),
        make(2, ("sport",), ("business",)),
        make(3, ("a",), ("a",), model="other"),
    ]
    found = {(one.model, one.version): one.figures["accuracy"].value for one in measure(records)}
    assert found == {("other", "1"): 1.0, ("topic", "1"): 0.0, ("topic", "2"): 1.0}
    assert list(found) == sorted(found)


def test_several_labels_are_right_when_all_are():
    records = [
        make(1, ("late", "cold"), ("cold", "late")),
        make(2, ("late",), ("cold", "late")),
        make(3, (), ()),
    ]
    (report,) = measure(records)
    assert report.figures["accuracy"].value == pytest.approx(2 / 3)
    assert "calibration error" not in report.figures


def test_without_feedback_there_is_no_report():
    assert measure([]) == []
