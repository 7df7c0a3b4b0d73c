from __future__ import annotations

from valence.training.behaviour.templates import (
    MAX_CASES,
    fill_templates,
    make_pair_templates,
    make_single_text_templates,
)


def test_each_template_is_filled_with_all_combinations() -> None:
    found = fill_templates(
        make_single_text_templates("The {thing} was {good}.", "I left."),
        thing=("film", "song"),
        good=("good", "nice"),
        unused=("a", "b"),
    )
    assert found == (
        ("The film was good.",),
        ("The film was nice.",),
        ("The song was good.",),
        ("The song was nice.",),
        ("I left.",),
    )


def test_an_article_fits_its_word() -> None:
    found = fill_templates(
        make_single_text_templates("It is {a_word}."), word=("awful", "bad", "Italian", "Muslim")
    )
    assert [text for (text,) in found] == [
        "It is an awful.",
        "It is a bad.",
        "It is an Italian.",
        "It is a Muslim.",
    ]


def test_texts_of_a_case_share_words_or_differ_in_one() -> None:
    (both,) = fill_templates((("{day}", "{day} {more}"),), day=("Monday",), more=("very",))
    assert both == ("Monday", "Monday very")
    (pair,) = fill_templates(
        make_pair_templates("I saw {a_term} {person}."), term=[("old", "young")], person=("man",)
    )
    assert pair == ("I saw an old man.", "I saw a young man.")


def test_too_many_cases_are_sampled_without_replacement() -> None:
    """The sample is always the same."""
    numbers = [str(number) for number in range(MAX_CASES + 1)]
    all_of_them = fill_templates(make_single_text_templates("{number}"), number=numbers[:-1])
    assert [text for (text,) in all_of_them] == numbers[:-1]
    sample = fill_templates(make_single_text_templates("{number}"), number=numbers)
    assert len(set(sample)) == len(sample) == MAX_CASES
    assert sample == fill_templates(make_single_text_templates("{number}"), number=numbers)
