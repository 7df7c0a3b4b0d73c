from __future__ import annotations

from valence.training.checks.lengths import lengths


def of(texts, *tokens: int) -> tuple:
    return texts(*(" ".join(["word"] * count) for count in tokens))


def test_texts_of_similar_length_are_not_outliers(texts) -> None:
    assert lengths(of(texts, *range(8, 30)), 512) == []
    assert lengths(of(texts, *[10] * 50), 512) == []
    assert lengths((), 512) == []


def test_outliers_on_both_sides_are_found(texts) -> None:
    """Many outliers give a warning."""
    examples = of(texts, *[20] * 200, 1, 400, 500, 600)
    long, short = lengths(examples, 1_000)
    assert (long.count, long.severity) == (3, "warning")
    assert (short.count, short.severity) == (1, "note")
    assert short.places == ("mine.csv, line 201",)


def test_more_than_a_tenth_of_truncated_texts_is_noted(texts) -> None:
    assert lengths(of(texts, *[20] * 9, 21), 20) == []
    (found,) = lengths(of(texts, *[20] * 8, 21, 21), 20)
    assert (found.check, found.count, found.severity) == ("truncated", 2, "note")
