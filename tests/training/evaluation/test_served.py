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


def test_slices_show_which_kind_of_text_is_weak() -> None:
    records = [
        make(1, ("sport",), ("sport",), 0.95, source="form"),
        make(2, ("sport",), ("sport",), 0.9, source="form"),
        make(3, ("business",), ("sport",), 0.55),
        make(4, ("business",), ("business",), 0.55),
    ]
    (report,) = measure(records)
    found = {(one.kind, one.name): (one.texts, one.figures) for one in report.slices}
    assert {
        slice_: (texts, figures["accuracy"].value) for slice_, (texts, figures) in found.items()
    } == {
        ("predicted", "sport"): (2, 1.0),
        ("predicted", "business"): (2, 0.5),
        ("score", "0.9 or more"): (2, 1.0),
        ("score", "0.5 to 0.7"): (2, 0.5),
        ("source", "form"): (2, 1.0),
    }
    assert found["score", "0.5 to 0.7"][1]["calibration error"].value == pytest.approx(0.05)
    assert found["score", "0.5 to 0.7"][1]["macro-F1"].value == pytest.approx(1 / 3)
    assert "macro-F1" not in found["predicted", "sport"][1]


def test_the_only_slice_of_a_kind_is_left_out() -> None:
    (report,) = measure([make(1, ("sport",), ("sport",)), make(2, ("sport",), ("sport",))])
    assert report.slices == []


def test_values_beyond_a_bound_have_no_slice() -> None:
    records = [make(number, (f"label{number}",), ("label1",)) for number in range(30)]
    (report,) = measure(records)
    assert [one.kind for one in report.slices] == ["predicted"] * 20


def test_without_feedback_there_is_no_report():
    assert measure([]) == []
