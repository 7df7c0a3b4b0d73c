from __future__ import annotations

from valence.training.checks.lengths import lengths


def of(texts, *tokens: int) -> tuple:
    return texts(*(" ".join(["word"] * count) for count in tokens))


def test_texts_of_like_length_are_no_outliers(texts) -> None:
    assert lengths(of(texts, *range(8, 30)), 512) == []
    assert lengths(of(texts, *[10] * 50), 512) == []
    assert lengths((), 512) == []


def test_outliers_are_found_on_both_sides_and_many_of_them_are_warned_of(texts) -> None:
    examples = of(texts, *[20] * 200, 1, 400, 500, 600)
    long, short = lengths(examples, 1_000)
    assert (long.count, long.severity) == (3, "warning")
    assert (short.count, short.severity) == (1, "note")
    assert short.places == ("mine.csv, line 201",)


def test_more_than_a_tenth_of_texts_cut_is_noted(texts) -> None:
    assert lengths(of(texts, *[20] * 9, 21), 20) == []
    (found,) = lengths(of(texts, *[20] * 8, 21, 21), 20)
    assert (found.check, found.count, found.severity) == ("truncated", 2, "note")
