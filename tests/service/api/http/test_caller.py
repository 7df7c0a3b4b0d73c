import asyncio

import pytest
from valence.service.api.http.caller import ANONYMOUS, Account, Caller
from valence.service.errors import Forbidden, RateLimited, Unauthorized
from valence.service.keys.key import Key
from valence.service.pacing.token_bucket import TokenBucket

KEY = Key("alice", bytes(32), frozenset({"classify"}))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def bucket(rate: float, clock: Clock) -> TokenBucket:
    return TokenBucket(rate, capacity=rate, clock=clock)


def test_a_caller_without_a_key_is_never_refused_or_charged():
    assert ANONYMOUS.name == ""
    assert ANONYMOUS.charge_tokens is None
    ANONYMOUS.require_scope("admin")
    ANONYMOUS.renew("admin")
    ANONYMOUS.admit()
    ANONYMOUS.charge(1000)
    asyncio.run(ANONYMOUS.pace(1000))


def test_a_refused_request_takes_nothing():
    """Neither of the two rates pays for a request that the other one refuses."""
    clock = Clock()
    texts, tokens = bucket(2, clock), bucket(10, clock)
    tokens.take(10)
    with pytest.raises(RateLimited, match="10 tokens per second"):
        Caller(Account(KEY, texts, tokens)).admit()
    assert texts.balance() == 2
    clock.now = 0.1
    Caller(Account(KEY, texts, tokens)).admit()
    assert texts.balance() == 1


def test_tokens_are_taken_when_they_are_known_and_counted():
    tokens = bucket(10, Clock())
    caller = Caller(Account(KEY, None, tokens))
    caller.admit()
    caller.charge(3)
    assert tokens.balance() == 10
    caller.charge_tokens(25)
    caller.charge_tokens(5)
    assert tokens.balance() == -20
    assert caller.charged_tokens == 30
    with pytest.raises(RateLimited) as refused:
        caller.admit()
    assert refused.value.retry_after_seconds == pytest.approx(2.1)


def test_tokens_that_other_requests_used_up_since_are_missed():
    texts, tokens = bucket(100, Clock()), bucket(10, Clock())
    caller = Caller(Account(KEY, texts, tokens))
    caller.admit()
    tokens.take(10)
    with pytest.raises(RateLimited, match="10 tokens per second"):
        caller.charge(20)
    assert texts.balance() == 99


async def test_a_stream_waits_for_the_slower_of_its_rates(monkeypatch):
    clock = Clock()
    texts, tokens = bucket(10, clock), bucket(100, clock)
    waits = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    monkeypatch.setattr("valence.service.api.http.caller.asyncio.sleep", sleep)
    caller = Caller(Account(KEY, texts, tokens))
    await caller.pace(20)
    await caller.pace(1)
    tokens.take(600)
    await caller.pace(1)
    assert waits == [0, pytest.approx(1.1), pytest.approx((1 + 600 - 100) / 100)]


def test_a_lasting_request_follows_the_line_of_its_key():
    clock = Clock()
    found: list[Account | None] = [
        Account(KEY, bucket(1, clock)),
        Account(KEY._replace(scopes=frozenset({"metrics"}))),
        None,
    ]
    asked = []

    def find(digest: bytes) -> Account | None:
        asked.append(digest)
        return found.pop(0)

    caller = Caller(Account(KEY), find)
    caller.admit()
    caller.renew("classify")
    caller.admit()
    with pytest.raises(RateLimited):
        caller.admit()
    with pytest.raises(Forbidden, match="scope `classify`"):
        caller.renew("classify")
    with pytest.raises(Unauthorized, match="withdrawn"):
        caller.renew("classify")
    assert asked == [KEY.digest] * 3
