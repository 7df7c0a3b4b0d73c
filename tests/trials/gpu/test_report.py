from __future__ import annotations

from pathlib import Path

import pytest

from tests.trials.gpu import report
from tests.trials.gpu.measurements import Row

LIMITS: Row = {"device": "a GPU", "operations_per_second": 1e12, "bytes_per_second": 1e9}
SPEED: Row = {
    "rows": 10, "operations": 1e6, "bytes": 1e6, "engine": 1000.0, "eager": 500.0,
    "compiled": "failed: RuntimeError",
}  # fmt: skip


def test_shares_are_those_of_the_limits() -> None:
    """100 batches a second, of 1e6 operations and bytes each."""
    drawn = report.draw({"limits": [LIMITS], "speed": [SPEED]}, [], stand_in=False)
    assert "| 10 | 1,000 | 500 | failed: RuntimeError |  | 0.01% | 10.00% |" in drawn
    assert "1 TFLOP/s" in drawn


def test_without_limits_there_are_no_shares() -> None:
    drawn = report.draw({"speed": [SPEED]}, [], stand_in=False)
    assert "| 10 | 1,000 | 500 | failed: RuntimeError |  |  |  |" in drawn


@pytest.mark.parametrize(("difference", "word"), [(0.01, "agrees"), (0.02, "DOES NOT AGREE")])
def test_the_report_says_whether_the_engine_agrees(difference: float, word: str) -> None:
    row: Row = {"texts": 5, "difference": difference, "same": 1.0}
    assert f"The engine {word} with" in report.draw({"agreement": [row]}, [], stand_in=False)


def test_training_is_a_share_of_cudnn() -> None:
    row: Row = {"tokens": 9, "trainer": 50.0, "cudnn": 200.0}
    assert "reaches 25% of it" in report.draw({"training": [row]}, [], stand_in=False)


def test_a_processor_is_called_a_stand_in() -> None:
    assert "stands in for a GPU" in report.draw({}, [], stand_in=True)
    assert report.draw({}, ["the part speed was stopped"], stand_in=False).startswith("Fault: ")


def test_a_page_keeps_what_is_outside_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "gpu.md"
    page.write_text("before\n<!-- measured -->\n\nold\n\n<!-- end -->\nafter\n")
    report.write("new", page)
    assert page.read_text() == "before\n<!-- measured -->\n\nnew\n\n<!-- end -->\nafter\n"
    assert report.PAGE.read_text().count("<!-- measured -->\n") == 1
