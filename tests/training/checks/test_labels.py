from __future__ import annotations

from valence.training.checks import labels


def many(texts, count: int, label) -> tuple:
    return texts(*(f"text {number}" for number in range(count)), label=label)


def test_a_label_without_a_training_text_is_an_error(texts, splits) -> None:
    (found,) = labels.balance(splits(many(texts, 30, "a")), ["a", "b"])
    assert (found.severity, found.check) == ("error", "labels")
    assert "'b'" in found.message


def test_a_label_is_rare_below_twenty_texts(texts, splits) -> None:
    enough = [*many(texts, 30, "a"), *many(texts, 20, "b")]
    assert labels.balance(splits(enough), ["a", "b"]) == []
    few = [*many(texts, 30, "a"), *many(texts, 19, "b")]
    (found,) = labels.balance(splits(few), ["a", "b"])
    assert (found.check, found.severity, found.count) == ("rare_labels", "warning", 19)


def test_imbalance_is_reported_from_ten_to_one_on(texts, splits) -> None:
    balanced = [*many(texts, 199, "a"), *many(texts, 20, "b")]
    assert labels.balance(splits(balanced), ["a", "b"]) == []
    (found,) = labels.balance(splits([*balanced, *many(texts, 1, "a")]), ["a", "b"])
    assert (found.check, found.severity, found.count) == ("imbalance", "warning", 200)


def test_each_label_of_a_text_counts(texts, splits) -> None:
    assert labels.balance(splits(many(texts, 20, ("a", "b"))), ["a", "b"]) == []


def test_labels_missing_in_dev_or_test_are_named_by_split(texts, splits) -> None:
    parts = splits(texts("one"), texts("two"), texts("three", label="b"))
    dev, test = labels.unjudged(parts, ["a", "b"])
    assert ("dev" in dev.message, "'b'" in dev.message) == (True, True)
    assert ("test" in test.message, "'a'" in test.message) == (True, True)
