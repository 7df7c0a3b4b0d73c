from __future__ import annotations

from valence.training.pipeline.curve.picture import describe_curve, draw_curve
from valence.training.pipeline.curve.points import Point

POINTS = [
    Point(model, labels, (accuracy, accuracy, accuracy), accuracy)
    for model, ahead in (("linear", 0.0), ("linear with static embeddings", 0.05))
    for labels, accuracy in ((50, 0.6 + ahead), (100, 0.7 + ahead), (200, 0.775 + ahead))
]


def test_the_first_line_says_what_more_labels_would_pay() -> None:
    first, *others = describe_curve(POINTS)
    assert first.startswith("linear with static embeddings: accuracy 0.825 with 200 labels; 400 ")
    assert "would give about 0.8" in first
    assert len(others) == len(POINTS)


def test_a_curve_of_one_point_has_no_forecast() -> None:
    lines = list(describe_curve(POINTS[:1]))
    assert len(lines) == 1
    assert draw_curve(POINTS[:1]).startswith("<svg")


def test_the_picture_stands_alone() -> None:
    picture = draw_curve(POINTS)
    assert picture == draw_curve(POINTS)
    assert "xmlns=" in picture.partition(">")[0]
    assert "--ink: #" in picture
    for text in ("linear with static embeddings", "200", "800"):
        assert text in picture
