"""The need of a training, by what monitors answer."""

import json

import pytest
from valence.service.errors import ConfigurationError
from valence.training.monitoring.need import judge_need


@pytest.fixture
def answer(tmp_path):
    """Return a function that writes the answer of a server about its windows to a file."""

    def write(*windows, reference=0.9, name="answer.json"):
        history = [
            {"ended": 1, "accuracy": {"value": value, "low": 0, "high": 1}, "drifted": drifted}
            for value, drifted in windows
        ]
        report = {
            "model": "m", "version": "1", "reference_accuracy": reference, "history": history,
        }  # fmt: skip
        path = tmp_path / name
        path.write_text(json.dumps({"models": [report, report | {"version": "2"}]}))
        return str(path)

    return write


def judge(reason, *sources, points=2.0, tag="m:1"):
    return judge_need(tag, reason, sources, key="", points=points)


def test_one_drifted_window_may_be_chance_and_two_are_not(answer):
    usual = (0.9, [])
    assert not judge("drift", answer(usual, (0.9, ["label"]))).needed
    found = judge("drift", answer(usual, (0.9, ["label"]), (0.9, ["length", "label"])))
    assert found == (True, "2 of 3 windows of m:1 have drifted: label, length")
    assert not judge("drift", answer(*[usual] * 30, *[(0.9, ["label"])] * 2)).needed
    assert not judge("drift", answer()).needed


def test_the_windows_of_all_servers_count(answer):
    one, two = (answer((0.9, ["label"]), name=name) for name in ("a", "b"))
    assert judge("drift", one, two).needed


def test_an_accuracy_that_falls_is_a_reason(answer):
    windows = (0.89, []), (0.87, [])
    assert judge("accuracy", answer(*windows), points=1.9).needed
    assert not judge("accuracy", answer(*windows), points=2.1).needed
    assert not judge("accuracy", answer((0.1, []))).needed, "one window is not enough"


def test_a_source_that_tells_nothing_is_an_error(answer, tmp_path):
    (tmp_path / "no.json").write_text("# HELP")
    with pytest.raises(ConfigurationError, match="GET /v1/monitor"):
        judge("drift", str(tmp_path / "no.json"))
    with pytest.raises(ConfigurationError, match="m:3"):
        judge("drift", answer(), tag="m:3")
    with pytest.raises(ConfigurationError, match="train it anew"):
        judge("accuracy", answer((0.5, []), reference=None))
