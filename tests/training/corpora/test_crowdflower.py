from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.training.corpora import catalog, crowdflower
from valence.training.corpora.archive import fetch


def test_tweets_are_read_in_order_with_labels_and_rater_shares(index, tmp_path) -> None:
    archive = fetch(catalog.CORPORA["crowdflower"].package, tmp_path)
    examples = list(crowdflower.read(archive))
    assert [(e.text, e.label) for e in examples] == [
        ("I don't trust it, \"ever", "negative"),
        ("so LUCKY", "positive"),
        ("a car  drove by", "neutral"),
        ("A car drove by!!", "neutral"),
        ("", "neutral"),
    ]
    assert examples[0].shares == pytest.approx({"negative": 0.7, "neutral": 0.15, "positive": 0.15})
    assert examples[1].shares is None


@pytest.mark.parametrize(
    ("damaged", "whole"),
    [
        (b"I\x8a\x97\xc8m here", "I'm here"),
        (b"It\xe4\xf3\xbbs", "It's"),
        (b"Google\xd5\xa2_\x8a\xce_\x86\xa2s car", "Google's car"),
        (b"Uber_\xd1\xe9s", "Uber's"),
        (b"RT \xe4\xf3\xec@you: so\xe4\xf3\x9d", 'RT "@you: so"'),
        (b"you\xe4\xf3\xbb_\xe4\xf3\xbb_\xed_\x81_re", "you're"),
        (b"Beyonc\xed\xa9", "Beyoncé"),
        (b"\x8c\xa3400", "£400"),
        (b"wait\xe4\xf3_", "wait\u2026"),
        (b"&lt;3 you &amp; me", "<3 you & me"),
    ],
)
def test_damaged_punctuation_is_restored(damaged: bytes, whole: str) -> None:
    assert crowdflower.repair(damaged.decode("latin-1")) == whole


def test_unrestorable_bytes_are_dropped_between_words() -> None:
    text = b"line up_\xf4\xd6\x89_\xf4\xd6\x89 #Coachella a_b".decode("latin-1")
    assert crowdflower.repair(text).split() == ["line", "up", "#Coachella", "a_b"]


@given(st.binary())
def test_no_damaged_byte_survives(content: bytes) -> None:
    repaired = crowdflower.repair(content.decode("latin-1"))
    assert all(c.isascii() or c in "\u2026\u2014\u2013é£" for c in repaired)


@given(st.sampled_from(crowdflower.LABELS), st.floats(0, 1))
def test_shares_sum_to_one_and_the_label_has_the_largest(label: str, confidence: float) -> None:
    shares = crowdflower.shares_of(label, confidence)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares[label] >= max(shares.values()) - 1e-12
