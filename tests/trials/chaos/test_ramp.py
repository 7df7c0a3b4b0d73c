import math
from itertools import pairwise

import pytest

from tests.trials.chaos import flood
from tests.trials.chaos.load_record import Ramp, Scrape, Second, join
from tests.trials.chaos.ramp import _judge, find_slow

EXPOSITION = """\
# HELP valence_saturation_ratio Busy share.
valence_saturation_ratio 0.75
valence_stage_duration_seconds_bucket{le="0.1",model="m",stage="queue",version="1"} 9.0
valence_stage_duration_seconds_sum{model="m",stage="queue",version="1"} 2.0
valence_stage_duration_seconds_count{model="m",stage="queue",version="1"} 40.0
valence_stage_duration_seconds_sum{model="n",stage="queue",version="1"} 1.0
valence_stage_duration_seconds_count{model="n",stage="queue",version="1"} 10.0
valence_stage_duration_seconds_sum{model="m",stage="infer",version="1"} 7.0
valence_rejected_requests_total{reason="overloaded"} 3.0
valence_rejected_requests_total{reason="too-many-connections"} 4.0
"""
RAMP = Ramp(first=100, last=700, hold=10, seconds=70)


def second(at: float, p99: float) -> Second:
    return Second(at, load=0.5, p50=0.001, p99=p99, wait=0.0, saturation=0.5, refused=0.0)


def scrapes(saturation: dict[int, float]) -> list[Scrape]:
    """Return a scrape each second, with the saturations from these times on."""
    value, found = 0.0, []
    for at in range(71):
        value = saturation.get(at, value)
        found.append(Scrape(at, value, 0.001 * at, 100 * at, 0))
    return found


def test_an_exposition_is_read():
    assert Scrape.of_text(5, EXPOSITION) == (5, 0.75, 3.0, 50.0, 7.0)


def test_requests_come_at_the_rates_of_the_ramp():
    due = list(RAMP.due())
    assert due == sorted(due)
    assert sum(at < 10 for at in due) == pytest.approx(1_000, rel=0.1)
    assert sum(at >= 60 for at in due) == pytest.approx(5_980, rel=0.1)
    assert len(due) == pytest.approx(19_500, rel=0.05)
    assert RAMP.rate(10 + RAMP.doubling_seconds) == pytest.approx(200)
    # of independent clients: the gaps vary as much as they last
    gaps = [later - earlier for earlier, later in pairwise(due[:900])]
    mean = sum(gaps) / len(gaps)
    assert math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) == pytest.approx(
        mean, rel=0.15
    )


def test_answers_belong_to_the_second_of_their_sending():
    wave = flood.Flood(accepted=[0.3, 0.1, 0.2], accepted_at=[1.5, 0.5, 1.1])
    before, after = Scrape(1, 0.0, 0.0, 0, 0), Scrape(2, 0.4, 0.01, 2, 2)
    (found,) = join(wave, [before, after], RAMP, 200.0)
    assert found == Second(2, 0.5, 0.2, 0.3, 0.005, 0.4, 0.5)


def test_answers_are_slow_after_several_slow_seconds():
    """One slow second is that of another program."""
    quick, slow = 0.001, 0.0021
    record = [second(at, slow if at in (3, 8, 9, 10, 11) else quick) for at in range(12)]
    assert find_slow(record, quick) == 8
    assert find_slow(record[:9], quick) == math.inf


@pytest.mark.parametrize(
    ("full_at", "slow_at", "held"),
    [
        (20, 60, True),
        (20, 22, False),  # the replica comes too late
        (2, 60, False),  # replicas without need
        (80, 60, False),  # never
        (20, 80, False),  # the load never was too much: the ramp says nothing
    ],
)
def test_the_promise_is_a_replica_in_time(full_at, slow_at, held):
    record = [second(at, 0.005 if at >= slow_at else 0.001) for at in range(1, 71)]
    finding = _judge(record, scrapes({full_at: 0.9}), RAMP, 500.0)
    assert finding.held is held
