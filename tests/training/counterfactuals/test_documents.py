from __future__ import annotations

import random
from collections import Counter

from valence.training.counterfactuals.documents import make_documents

GOOD = ("The cast was a joy.", (0.0, 0.1, 0.9), "films")
BAD = ("The end was a mess.", (0.9, 0.1, 0.0), "films")
PLAIN = ("It runs for two hours.", (0.0, 1.0, 0.0), "films")
SHORT = ("Bad.", (1.0, 0.0, 0.0), "films")
FACT = ("Water boils at 100 degrees.", (0.0, 1.0, 0.0), "facts")


def sentences_of(text: str) -> Counter[str]:
    return Counter(f"{part}." for part in text.removesuffix(".").split(". "))


def test_a_document_has_the_side_that_most_of_its_texts_have() -> None:
    made = list(make_documents([GOOD, BAD, PLAIN, SHORT, FACT], 2_000, random.Random(0)))
    assert len(made) == 2_000
    sides = Counter()
    for text, shares in made:
        counts = sentences_of(text)
        assert set(counts) <= {GOOD[0], BAD[0], PLAIN[0]}
        assert 2 <= counts.total() <= 13
        assert abs(sum(shares) - 1.0) < 1e-9
        difference = counts[GOOD[0]] - counts[BAD[0]]
        polarity = shares[2] - shares[0]
        assert (difference > 0) == (polarity > 1e-9)
        assert (difference < 0) == (polarity < -1e-9)
        sides[(difference > 0) - (difference < 0)] += 1
    assert sides[1] > 600
    assert sides[-1] > 600


def test_many_texts_that_agree_are_surer_than_one() -> None:
    made = dict(make_documents([GOOD, BAD], 500, random.Random(0)))
    agreed = {text: shares for text, shares in made.items() if BAD[0] not in text}
    few = [shares[2] for text, shares in agreed.items() if text.count(GOOD[0]) < 4]
    many = [shares[2] for text, shares in agreed.items() if text.count(GOOD[0]) >= 4]
    assert few
    assert min(few) > 0.85
    assert many
    assert min(many) > 0.95


def test_texts_without_feeling_do_not_hide_the_others() -> None:
    made = dict(make_documents([GOOD, BAD, PLAIN], 3_000, random.Random(0)))
    plain = [shares for text, shares in made.items() if set(sentences_of(text)) == {PLAIN[0]}]
    assert plain
    assert all(max(shares) == shares[1] for shares in plain)
    mixed = [
        shares
        for text, shares in made.items()
        if 2 <= sentences_of(text)[PLAIN[0]] <= 4
        and sentences_of(text)[GOOD[0]] - sentences_of(text)[BAD[0]] >= 2
    ]
    assert mixed
    assert min(shares[2] for shares in mixed) > 0.6


def test_labels_without_a_neutral_one_have_documents() -> None:
    assert len(list(make_documents([GOOD, BAD], 50, random.Random(0)))) == 50


def test_a_corpus_without_feelings_has_no_documents() -> None:
    assert list(make_documents([PLAIN, FACT, GOOD], 50, random.Random(0))) == []
