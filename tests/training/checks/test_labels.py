from __future__ import annotations

import pytest
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


def test_a_thousand_rare_labels_are_one_line(texts, splits) -> None:
    names = [f"code {number}" for number in range(1_000)]
    few = [text for name in names for text in many(texts, 5, name)]
    (found,) = labels.balance(splits(few), names)
    assert (found.check, found.count) == ("rare_labels", 5_000)
    assert found.message.startswith("texts of 1,000 labels with fewer than 20 training texts: ")
    assert len(found.line()) < 400
    (missing,) = labels.balance(splits(many(texts, 30, "a")), ["a", *names])
    assert missing.message.startswith("labels without a training text: 'code 0', ")
    assert len(missing.line()) < 400


def test_the_rarest_labels_are_named_first(texts, splits) -> None:
    few = [*many(texts, 12, "a"), *many(texts, 3, "b"), *many(texts, 40, "c")]
    found = labels.balance(splits(few), ["a", "b", "c"])
    assert "'b' (3), 'a' (12);" in found[0].message


@pytest.mark.parametrize(
    ("alike", "shown"),
    [
        (("Spam", "spam"), "'Spam', 'spam'"),
        (("1", "1.0"), "'1', '1.0'"),
        (("caf\u00e9", "cafe\u0301"), r"'caf\xe9', 'cafe\u0301'"),
        (("spam", "spam\u200b"), r"'spam', 'spam\u200b'"),
    ],
)
def test_look_alike_labels_are_named_in_a_warning(texts, splits, alike, shown: str) -> None:
    first, second = alike
    parts = splits(many(texts, 4, first), many(texts, 2, second), many(texts, 9, "other"))
    (found,) = labels.find_look_alikes(parts, [first, second, "other"])
    assert (found.check, found.severity, found.count) == ("label_names", "warning", 6)
    assert f"look alike: {shown}; write" in found.message


def test_a_label_called_nan_is_a_warning(texts, splits) -> None:
    parts = splits(many(texts, 4, "nan"), many(texts, 2, "a"))
    (found,) = labels.find_look_alikes(parts, ["a", "nan"])
    assert (found.severity, found.count) == ("warning", 4)
    assert "'nan'" in found.message
    assert labels.find_look_alikes(parts, ["a", "none"]) == []
