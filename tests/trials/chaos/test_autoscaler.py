import math

import pytest

from tests.trials.chaos.autoscaler import Cluster, Rule, decisions, quantity


@pytest.mark.parametrize(("text", "number"), [("600m", 0.6), ("2", 2.0), (1, 1.0), ("0.5", 0.5)])
def test_quantities_are_read(text, number):
    assert quantity(text) == number


@pytest.mark.parametrize(
    ("replicas", "value", "wanted"),
    [
        (3, 0.6, 3),
        (3, 0.65, 3),  # within the tolerance of a tenth
        (3, 0.67, 4),
        (3, 1.2, 6),
        (6, 0.35, 4),
        (6, 0.05, 3),  # the least
        (9, 2.0, 12),  # the most
    ],
)
def test_the_formula_of_an_autoscaler(replicas, value, wanted):
    assert Rule(0.6, least=3, most=12).desired(replicas, value) == wanted


def test_a_decision_waits_for_a_scrape_and_a_sync():
    """A metric that jumps at 20 s is seen at once in the best phase, 30 s later in the worst."""
    found = decisions(
        Rule(0.6, least=3), lambda time: float(time >= 20), Cluster(15, 15), seconds=90
    )
    assert len(found) == 225
    assert 20 <= found[0] < 22
    assert 47 < found[-1] < 50


def test_a_faster_cluster_decides_sooner():
    found = decisions(
        Rule(0.6, least=3), lambda time: float(time >= 20), Cluster(15, 15).shorten(3), seconds=90
    )
    assert 28 < found[-1] < 30


def test_a_metric_below_the_target_decides_nothing():
    assert set(decisions(Rule(0.6), lambda _: 0.65, Cluster(), seconds=60)) == {math.inf}


def test_the_rule_is_that_of_the_manifest():
    rule = Rule.of_manifest()
    assert (rule.least, rule.most) == (3, 12)
    assert 0 < rule.target < 1
