import math
import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tests.trials.bench.cost_picture import Label, Point, draw_points, place_labels

_SVG = "{http://www.w3.org/2000/svg}"
POINTS = [
    Point("Own", 80.0, 0.757),
    Point("cheap & crude", 120.0, 0.51),
    Point("slow", 2_400.0, 0.80),
]


def circles(picture: str) -> list[tuple[float, float]]:
    found = ElementTree.fromstring(picture).iter(f"{_SVG}circle")
    return [(float(circle.attrib["cx"]), float(circle.attrib["cy"])) for circle in found]


def test_a_cheaper_point_is_further_left_and_a_better_one_higher() -> None:
    own, crude, slow = circles(draw_points(POINTS))
    assert own[0] < crude[0] < slow[0]
    assert slow[1] < own[1] < crude[1]


def test_the_axis_of_costs_is_logarithmic() -> None:
    points = [Point("a", 100.0, 0.5), Point("b", 1_000.0, 0.6), Point("c", 10_000.0, 0.7)]
    (a, _), (b, _), (c, _) = circles(draw_points(points))
    assert math.isclose(b - a, c - b, abs_tol=0.11)


def test_the_picture_names_each_program_and_tells_its_figures() -> None:
    picture = draw_points(POINTS)
    texts = [element.text for element in ElementTree.fromstring(picture).iter(f"{_SVG}text")]
    assert {point.name for point in POINTS} <= set(texts)
    assert "Own 0.757 at 80" in picture
    assert re.search(r"prefers-color-scheme: dark", picture)


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 300)), max_size=8))
def test_labels_never_overlap(places) -> None:
    labels = [Label("name", left, left + 60, height) for left, height in places]
    placed = place_labels(labels)
    assert [label.left for label in placed] == [label.left for label in labels]
    for index, label in enumerate(placed):
        assert not any(label.overlaps(other) for other in placed[:index])
