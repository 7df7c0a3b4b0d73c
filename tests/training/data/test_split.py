from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from valence.training.corpora.example import Example
from valence.training.corpora.normal_form import normal_form
from valence.training.data import split
from valence.training.data.split import (
    Splits,
    hash_examples,
    keep_rare_labels,
    split_by_hash,
    split_stratified,
)


def assign_split(text: str) -> str:
    return split.assign_split(Example(text, "", ""))


TEXTS = st.lists(st.text(max_size=30), max_size=40)


def examples(texts: list[str]) -> list[Example]:
    return [Example(text=text, label="neutral", corpus="made up") for text in texts]


@given(TEXTS)
def test_every_text_is_in_exactly_one_split(texts: list[str]) -> None:
    parts = split_by_hash(examples(texts))
    train, dev, test = (
        {normal_form(e.text) for e in p} for p in (parts.train, parts.dev, parts.test)
    )
    assert len(train | dev | test) == len(train) + len(dev) + len(test)
    together = Counter(e.text for e in (*parts.train, *parts.dev, *parts.test))
    assert together == Counter(texts)


@given(TEXTS, TEXTS, st.randoms(use_true_random=False))
def test_adding_and_shuffling_data_moves_no_text_between_splits(old, new, random) -> None:
    before = split_by_hash(examples(old))
    more = examples(old + new)
    random.shuffle(more)
    after = split_by_hash(more)
    for name in ("train", "dev", "test"):
        assert {e.text for e in getattr(before, name)} <= {e.text for e in getattr(after, name)}


def test_the_split_of_a_text_never_changes() -> None:
    in_test = [i for i in range(40) if assign_split(f"text number {i}") == "test"]
    in_dev = [i for i in range(40) if assign_split(f"text number {i}") == "dev"]
    assert (in_dev, in_test) == ([22, 24, 26, 35, 36], [2, 9, 25, 31, 34])


def test_ten_thousand_texts_are_split_eighty_ten_ten() -> None:
    counts = Counter(assign_split(f"sentence {i} of many") for i in range(10_000))
    assert abs(counts["train"] - 8_000) < 150
    assert abs(counts["dev"] - 1_000) < 100
    assert abs(counts["test"] - 1_000) < 100


@given(st.text(max_size=40))
def test_copies_share_a_split(text: str) -> None:
    """Copies may differ in case, spaces and punctuation."""
    if normal_form(text).replace(" ", "").isalnum():
        assert assign_split(f"  {text} !") == assign_split(text)


def test_folding_makes_equal_only_copies() -> None:
    assert (
        normal_form("Don\u2019t  STOP, now!") == normal_form("don't stop now") == "don t stop now"
    )
    assert normal_form("a_b") == normal_form("a b")
    assert normal_form(":)") != normal_form(":(")
    assert normal_form(" \n\t") == ""
    # only a name or a link keeps its marks
    assert (normal_form(" @Some_One !"), normal_form("https://a.b/C !")) == (
        "@some_one!",
        "https://a.b/c!",
    )
    assert normal_form("😀") != normal_form("😢")


@given(st.text(max_size=40))
def test_folding_is_idempotent(text: str) -> None:
    assert normal_form(normal_form(text)) == normal_form(text)


def labelled(**counts: int) -> list[Example]:
    return [
        Example(f"{label} text {number}", label, "made up")
        for label, count in counts.items()
        for number in range(count)
    ]


def test_a_stratified_dev_split_has_a_tenth_of_each_label() -> None:
    """There is no test split."""
    parts = split_stratified(labelled(a=500, b=73, c=20))
    found = Counter(example.label for example in parts.dev)
    assert found == {"a": 50, "b": 7, "c": 2}
    assert (len(parts.train), parts.test) == (593 - 59, ())
    assert (parts.names, parts.judged) == (("train", "dev"), "dev")


def test_a_label_with_six_texts_has_one_in_a_stratified_dev() -> None:
    assert [len(split_stratified(labelled(a=count)).dev) for count in (5, 6, 15, 16)] == [
        0,
        1,
        1,
        2,
    ]


@given(st.randoms(use_true_random=False))
def test_a_stratified_split_ignores_the_order_of_texts(random) -> None:
    given = labelled(a=40, b=25)
    first = split_stratified(given)
    random.shuffle(given)
    second = split_stratified(given)
    assert {e.text for e in first.dev} == {e.text for e in second.dev}
    assert [e for e in given if e in first.dev] == list(second.dev)


def test_the_digest_depends_on_texts_labels_and_order() -> None:
    a, b = Example("a", "x", "c"), Example("b", "y", "c")
    digests = {
        hash_examples(several)
        for several in ([], [a], [b], [a, b], [b, a], [Example("a", "y", "c"), b])
    }
    assert len(digests) == 6
    assert hash_examples([a]) == hash_examples([Example("a", "x", "elsewhere", {"x": 1.0})])


def test_a_label_without_a_training_text_keeps_one() -> None:
    """Of dev, if dev has the label; the other texts stay where they are."""
    common, (rare_dev, rare_test), only_test = (
        labelled(a=3),
        labelled(b=2),
        labelled(c=2),
    )
    before = Splits((*common[:1],), (common[1], rare_dev), (common[2], rare_test, *only_test))
    after = keep_rare_labels(before)
    assert set(after.kept) == {"b", "c"}
    assert rare_dev in after.train
    assert after.dev == (common[1],)
    assert after.test[:2] == (common[2], rare_test)
    assert len(after.test) == 3
    everything = (*after.train, *after.dev, *after.test)
    assert Counter(e.text for e in everything) == Counter(
        e.text for part in (before.train, before.dev, before.test) for e in part
    )


def test_a_text_with_several_rare_labels_keeps_all_of_them() -> None:
    both = Example("both", ("b", "c"), "made up")
    after = keep_rare_labels(Splits(tuple(labelled(a=2)), (both,), ()))
    assert (after.kept, after.train[-1], after.dev) == (("b", "c"), both, ())


def test_splits_that_train_every_label_stay_as_they_are() -> None:
    parts = split_by_hash(labelled(a=60, b=60))
    assert keep_rare_labels(parts) is parts


@given(st.randoms(use_true_random=False))
def test_the_kept_text_depends_on_no_order(random) -> None:
    train, held_out = labelled(a=2), labelled(b=5, c=4)
    first = keep_rare_labels(Splits(tuple(train), (), tuple(held_out))).train
    random.shuffle(held_out)
    assert set(keep_rare_labels(Splits(tuple(train), (), tuple(held_out))).train) == set(first)
