"""The level of a token bucket."""

from valence.service.pacing.token_bucket import TokenBucket


def test_a_bucket_fills_at_its_rate_up_to_one_second():
    now = 0.0
    bucket = TokenBucket(4.0, capacity=4.0, clock=lambda: now)
    bucket.take(4)
    assert bucket.wait_seconds() == 0.25
    now = 0.25
    assert bucket.wait_seconds() == 0
    now = 100.0
    bucket.take(4)
    assert bucket.wait_seconds() == 0.25


def test_a_bucket_reports_its_debt():
    now = 0.0
    bucket = TokenBucket(4.0, capacity=2.0, clock=lambda: now)
    assert bucket.balance() == 2
    bucket.take(5)
    assert bucket.balance() == -3
    now = 0.5
    assert bucket.balance() == -1
    assert bucket.wait_seconds() == 0.5
