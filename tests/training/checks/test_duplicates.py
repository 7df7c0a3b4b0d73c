from __future__ import annotations

from valence.training.checks import duplicates
from valence.training.data.split import NearDuplicatePair


def test_empty_texts_are_noted_and_an_error_if_they_are_most(texts, loaded) -> None:
    (blank,) = texts(" ")
    (found,) = duplicates.find_empty(loaded(texts("one", "two"), (blank, None), (blank, None)))
    assert (found.severity, found.count, found.share) == ("note", 2, 0.5)
    (found,) = duplicates.find_empty(loaded(texts("one"), (blank, None), (blank, None)))
    assert found.severity == "error"
    assert "column" in found.message
    assert duplicates.find_empty(loaded(texts("one"))) == []


def test_copies_are_noted_by_line_and_never_quoted(texts, loaded) -> None:
    one, again = texts("secret words", "Secret words!")
    (found,) = duplicates.find_duplicates(loaded((one, *texts("other")), (again, one)))
    assert (found.severity, found.count, found.places) == ("note", 1, ("mine.csv, line 2",))
    assert "secret" not in found.model_dump_json().lower()


def test_a_file_of_mostly_copies_gives_a_warning(texts, loaded) -> None:
    one, again = texts("one", "One")
    assert duplicates.find_duplicates(loaded((one,), (again, one)))[0].severity == "note"
    assert duplicates.find_duplicates(loaded((one,), *[(again, one)] * 2))[0].severity == "warning"


def test_a_copy_with_another_label_is_a_conflict(texts, loaded) -> None:
    (one,), (same,), (other,) = texts("one"), texts("One"), texts("ONE", label="b")
    kept = (one, *texts("two", "three", "four"))
    assert duplicates.find_conflicts(loaded(kept, (same, one))) == []
    (found,) = duplicates.find_conflicts(loaded(kept, (other, one)))
    assert (found.severity, found.count, found.share) == ("warning", 1, 0.2)
    (found,) = duplicates.find_conflicts(loaded(kept, (other, one), (other, one)))
    assert found.severity == "error"


def test_labels_in_another_order_are_not_a_conflict(texts, loaded) -> None:
    (one,), (turned,) = texts("one", label=("a", "b")), texts("One", label=("b", "a"))
    assert duplicates.find_conflicts(loaded((one,), (turned, one))) == []


def test_a_text_in_two_splits_is_an_error(texts, splits) -> None:
    """Case, white space and punctuation do not matter."""
    (found,) = duplicates.find_across_splits(
        splits(texts("one", "two"), texts("three"), texts("Two!"))
    )
    assert (found.severity, found.count, found.share) == ("error", 1, 0.25)
    assert (
        duplicates.find_across_splits(splits(texts("one", "one"), texts("two"), texts("three")))
        == []
    )


def test_near_copies_are_reported_with_their_handling(texts, splits) -> None:
    one, two = texts("one", "two")
    pair = NearDuplicatePair(one, two)
    assert duplicates.find_near_duplicates(splits([one])) == []
    (found,) = duplicates.find_near_duplicates(
        splits([one], [], [two], near_duplicates=(pair,), withdrawn=1)
    )
    assert (found.severity, found.count) == ("note", 1)
    assert "1 of train were taken out" in found.message
    (found,) = duplicates.find_near_duplicates(splits([one], [], [two], near_duplicates=(pair,)))
    assert found.severity == "warning"
