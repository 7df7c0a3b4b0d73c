"""Counterfactuals teach what behaviour tests judge, in other words and other sentences."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from types import ModuleType

import pytest
from valence.service.classifier.emoji import normalize_emoji
from valence.training.behaviour import direction, fairness, functionality, perturbations, suite
from valence.training.behaviour import words as judged
from valence.training.config.schema import Counterfactuals
from valence.training.corpora.example import Example
from valence.training.counterfactuals import (
    contrast,
    distance,
    experience_words,
    experiences,
    faces,
    people,
    ratings,
    results,
)
from valence.training.counterfactuals.frames import find_frames
from valence.training.counterfactuals.maker import RULES, make_counterfactuals

POLARITY = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}
ALL = Counterfactuals(emoji=1.0, contrast=5.0, people=5.0)
SENTENCES = {
    "positive": ("The crew was friendly.", "A woman was so friendly, and the room was clean, :)"),
    "negative": ("The queue was painful.", "Our man was so rude, it was painful :("),
    "neutral": ("They will land at noon.", "It is a map."),
}
# texts with words of the behaviour tests, which must not be taken over
JUDGED = ("The film was good.", "The driver was very bad.", "The service is great, it was awful!")


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    made = [
        Example(text, label, "toy")
        for label, texts in SENTENCES.items()
        for text in texts
        for _ in range(20)
    ]
    return [*made, *(Example(text, "negative", "toy") for text in JUDGED for _ in range(20))]


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower()))


def strings_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings_in([*value.keys(), *value.values()])
    elif isinstance(value, tuple | list | frozenset):
        for item in value:
            yield from strings_in(item)


def templates_of(*modules: ModuleType) -> set[str]:
    values = (value for module in modules for value in vars(module).values())
    return {text for value in values for text in strings_in(value) if "{" in text}


JUDGED_WORDS = {
    word
    for text in strings_in([value for name, value in vars(judged).items() if name.isupper()])
    for word in words_of(text)
    if text not in judged.HAPPY_EMOTICONS + judged.UNHAPPY_EMOTICONS
} - {"so", "of", "kind", "sort"}
JUDGED_PEOPLE = {
    word
    for texts in (*fairness._IDENTITIES.values(), *fairness._NAMES.values(), fairness._PERSONS)
    for text in strings_in(tuple(texts))
    for word in words_of(text)
}


def test_no_judged_word_is_in_a_table() -> None:
    tables = (contrast.INTENSIFIERS, contrast.DOWNTONERS, contrast.ADVERBS, contrast.NOUNS)
    persons = (
        people.TERMS,
        people.NAMES,
        people.PERSONS,
        people._ADJECTIVES[True],
        people._INTRODUCED,
    )
    tables += (contrast.PLAIN, *contrast.VERBS.values(), distance._ASIDES, distance._DEEDS)
    tables += (experience_words.TABLES, ratings._JUDGED, results._TABLES)
    used = {word for text in strings_in([*tables, *persons]) for word in words_of(text)}
    assert not used & JUDGED_WORDS
    assert not {word for text in strings_in(persons) for word in words_of(text)} & JUDGED_PEOPLE


def test_no_judged_emoji_is_in_a_table() -> None:
    seen = {normalize_emoji(emoji) for emoji in (*faces.HAPPY, *faces.UNHAPPY, *faces.PLAIN)}
    shown = (*judged.HAPPY_EMOJI, *judged.UNHAPPY_EMOJI, *perturbations._EMOJI)
    assert not seen & {normalize_emoji(emoji) for emoji in shown}
    assert len(seen) == len({*faces.HAPPY, *faces.UNHAPPY, *faces.PLAIN})


def test_no_judged_adjective_is_taken_from_the_texts(examples: list[Example]) -> None:
    found = find_frames(example.text for example in examples)
    assert set(found.positive) == {"friendly", "clean"}
    assert set(found.negative) == {"painful", "rude"}
    subjects = {word for frame in found.frames for word in frame.subject.split()}
    assert not subjects & JUDGED_WORDS
    assert "crew" in subjects


def test_no_template_has_three_words_of_a_judged_template() -> None:
    judged_templates = templates_of(functionality, direction, fairness)
    own = templates_of(contrast, distance, experiences, people, ratings, results)
    assert len(judged_templates) > 40
    assert len(own) > 60

    def triples(template: str) -> Iterator[tuple[str, ...]]:
        for part in re.split(r"\{\w+\}|[,.;!?]", template.lower()):
            spoken = part.split()
            yield from zip(spoken, spoken[1:], spoken[2:], strict=False)

    taken = set(itertools.chain.from_iterable(map(triples, judged_templates)))
    assert taken & set(itertools.chain.from_iterable(map(triples, own))) == set()


def test_no_judged_sentence_is_made(examples: list[Example]) -> None:
    made = {example.text for example in make_counterfactuals(ALL, examples, POLARITY)}
    cases = {
        text
        for expectation in suite.build_expectations(POLARITY)
        for case in expectation.cases
        for text in case
    }
    assert len(made) > 500
    assert not made & cases


def test_the_same_seed_makes_the_same_counterfactuals(examples: list[Example]) -> None:
    first, second = (make_counterfactuals(ALL, examples, POLARITY) for _ in range(2))
    assert first == second
    other = ALL.model_copy(update={"seed": 1})
    assert make_counterfactuals(other, examples, POLARITY) != first


@pytest.mark.parametrize("polarity", [POLARITY, {"bad": -1.0, "good": 1.0}])
def test_shares_are_those_of_the_labels(polarity: dict[str, float]) -> None:
    examples = [
        Example("The crew was friendly and the man was so friendly.", max(polarity), "toy"),
        Example("The queue was painful, the room was painful.", min(polarity), "toy"),
    ] * 20
    made = make_counterfactuals(ALL, examples, polarity)
    assert made
    for example in made:
        assert example.shares is not None
        assert example.shares.keys() == polarity.keys()
        assert sum(example.shares.values()) == pytest.approx(1.0)
        assert example.shares[str(example.label)] == max(example.shares.values())


@pytest.mark.parametrize("kind", ["distance", "results", "experiences", "ratings", "introductions"])
def test_rules_leave_the_other_copies_as_they_are(examples: list[Example], kind: str) -> None:
    without = make_counterfactuals(ALL, examples, POLARITY)
    both = make_counterfactuals(ALL.model_copy(update={kind: 1.0}), examples, POLARITY)
    assert both[: len(without)] == without
    made = both[len(without) :]
    assert {example.corpus for example in made} == {RULES}
    assert len(made) > len(examples) // 2


def test_nothing_is_made_of_texts_without_clauses() -> None:
    made = make_counterfactuals(
        Counterfactuals(contrast=5.0), [Example("hello there", "neutral", "toy")] * 9, POLARITY
    )
    assert made == ()


def test_no_copy_of_an_excluded_text_is_made(examples: list[Example]) -> None:
    made = make_counterfactuals(ALL, examples, POLARITY)
    held_out = Example(made[0].text.upper() + " !", "neutral", "dev")
    others = make_counterfactuals(ALL, examples, POLARITY, excluded=[held_out])
    texts = {example.text for example in others}
    assert made[0].text not in texts
    assert texts < {example.text for example in made}
