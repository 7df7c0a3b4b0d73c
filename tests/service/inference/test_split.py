from __future__ import annotations

import collections

import pytest
from valence.service.inference.split import Split

KEYS = [f"account-{number}" for number in range(20_000)]


def counted(split: Split) -> collections.Counter[str]:
    return collections.Counter(map(split.choose, KEYS))


def test_each_alias_has_the_share_of_its_weight():
    counts = counted(Split("reviews", {"champion": 90, "challenger": 7.5, "blue": 2.5}))
    for alias, share in (("champion", 0.9), ("challenger", 0.075), ("blue", 0.025)):
        # five standard deviations of a fair draw
        deviation = (share * (1 - share) / len(KEYS)) ** 0.5
        assert counts[f"reviews@{alias}"] / len(KEYS) == pytest.approx(share, abs=5 * deviation)


def test_a_key_has_the_same_alias_in_every_process():
    """These are values of the hash, which must not change between versions of Valence."""
    split = Split("reviews", {"champion": 1, "challenger": 1})
    assert [split.choose(f"account-{number}").partition("@")[2] for number in range(6)] == [
        "champion",
        "champion",
        "champion",
        "champion",
        "champion",
        "challenger",
    ]


def test_models_are_split_independently():
    same = [
        Split("a", {"champion": 1, "x": 1}).choose(key)[2:]
        == Split("b", {"champion": 1, "x": 1}).choose(key)[2:]
        for key in KEYS[:4000]
    ]
    assert sum(same) / len(same) == pytest.approx(0.5, abs=0.05)


def test_a_growing_challenger_keeps_its_keys():
    few = Split("reviews", {"champion": 95, "challenger": 5})
    many = Split("reviews", {"champion": 60, "challenger": 40})
    kept = {key for key in KEYS if few.choose(key) == "reviews@challenger"}
    assert kept
    assert kept < {key for key in KEYS if many.choose(key) == "reviews@challenger"}


def test_one_alias_may_have_all():
    assert counted(Split("reviews", {"blue": 3})).keys() == {"reviews@blue"}


def test_a_key_may_be_any_header():
    assert Split("reviews", {"blue": 1, "champion": 1}).choose("\xff" * 30_000)
