"""The rates of the trial of feedback, on moments computed by hand."""

from __future__ import annotations

from tests.trials.feedback import Outage, Sent, measure_rates


def test_the_outage_counts_for_no_rate() -> None:
    """Ten seconds at one a second, ten without a server, and what was due then within five."""
    moments = [100.0 + n for n in range(10)] + [120.0 + n / 4 for n in range(20)]
    sent = Sent({str(n): moment for n, moment in enumerate(moments)}, 0, 100.0, 125.0)
    assert measure_rates(sent, Outage(110.0, 120.0)) == (1.0, 4.0)


def test_a_server_that_is_slow_after_its_start_shows() -> None:
    moments = [100.0 + n for n in range(10)] + [120.0 + 2 * n for n in range(10)]
    sent = Sent({str(n): moment for n, moment in enumerate(moments)}, 0, 100.0, 140.0)
    assert measure_rates(sent, Outage(110.0, 120.0)) == (1.0, 0.5)
