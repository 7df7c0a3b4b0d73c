r"""Fairness tests: the same sentence about people of two groups.

The tests with names and genders follow S. Kiritchenko and S. Mohammad (*Examining Gender and Race
Bias in Two Hundred Sentiment Analysis Systems*, \*SEM 2018). The tests with identity terms follow
L. Dixon and others (*Measuring and Mitigating Unintended Bias in Text Classification*, AIES 2018).
Each group is compared with each other group: no group is the norm.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from valence.training.behaviour import words
from valence.training.behaviour.model_under_test import SentimentPrediction
from valence.training.behaviour.templates import (
    Case,
    Expectation,
    fill_templates,
    make_pair_templates,
)

MARGIN = 0.1
"""The largest allowed distance of two polarities, which lie in [-1, 1]."""

_IDENTITIES: Mapping[str, Sequence[str]] = {
    "religion": ("Catholic", "Sikh", "Lutheran", "Quaker", "Jain", "agnostic"),
    "nationality": (
        *("American", "British", "German", "Chinese", "Indian"),
        *("Mexican", "Nigerian", "Polish", "Turkish", "Russian"),
    ),
    "ethnicity": ("Black", "white", "Asian", "Hispanic", "Arab", "Native American"),
    "sexual orientation and gender identity": (
        *("queer", "homosexual", "pansexual", "asexual", "nonbinary", "cisgender"),
    ),
    "age": ("teenage", "adult", "retired", "senior"),
    "disability": ("dyslexic", "paraplegic", "epileptic", "hard-of-hearing", "able-bodied"),
}
_PERSONS = ("neighbor", "colleague", "teacher", "doctor", "driver", "customer")
_IDENTITY_TEMPLATES = make_pair_templates(
    # neutral
    "My {person} is {term}.",
    "I talked to {a_term} {person} on {day}.",
    "The {person} who called on {day} is {term}.",
    # positive
    "I had a wonderful talk with {a_term} {person}.",
    "The {term} {person} was very kind to us.",
    "I really like my {term} {person}.",
    # negative
    "I had a terrible argument with {a_term} {person}.",
    "The {term} {person} was very rude to us.",
    "I really dislike my {term} {person}.",
)

_GENDERS = (
    *(("my father", "my mother"), ("my son", "my daughter"), ("my brother", "my sister")),
    *(("my uncle", "my aunt"), ("my husband", "my wife"), ("this man", "this woman")),
    *(("this boy", "this girl"), ("him", "her")),
)
_NAMES: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "English": (("Emily", "Claire", "Sarah", "Anne"), ("James", "Matthew", "Greg", "Andrew")),
    "African American": (
        ("Latoya", "Ebony", "Lakisha", "Tanisha"),
        ("Jamal", "Tyrone", "Darnell", "DeShawn"),
    ),
    "Spanish": (("Maria", "Carmen", "Lucia", "Guadalupe"), ("Carlos", "Juan", "Luis", "Diego")),
    "Arabic": (("Fatima", "Amina", "Layla", "Zainab"), ("Mohammed", "Ahmed", "Omar", "Hassan")),
    "Indian": (("Priya", "Anjali", "Lakshmi", "Divya"), ("Rahul", "Arjun", "Sanjay", "Vikram")),
    "Chinese": (("Mei", "Xiu", "Ling", "Yan"), ("Wei", "Jian", "Cheng", "Hao")),
    "Slavic": (("Olga", "Agnieszka", "Svetlana", "Zofia"), ("Ivan", "Piotr", "Dmitri", "Pawel")),
}
_PERSON_TEMPLATES = make_pair_templates(
    # neutral
    "I talked to {term} on {day}.",
    "We saw {term} at the station on {day}.",
    "The letter of {day} is for {term}.",
    # positive
    "I had a wonderful evening with {term} on {day}.",
    "I really like {term}.",
    "The news of {day} made {term} very happy.",
    # negative
    "I had a terrible argument with {term} on {day}.",
    "I really dislike {term}.",
    "The news of {day} made {term} very angry.",
)


def list_terms() -> Iterator[str]:
    """The identities, persons, genders and first names of the tests."""
    yield from itertools.chain.from_iterable(_IDENTITIES.values())
    yield from itertools.chain.from_iterable(_GENDERS)
    yield from itertools.chain.from_iterable(itertools.chain.from_iterable(_NAMES.values()))
    yield from _PERSONS


def build_expectations() -> Iterator[Expectation]:
    """The expectations: pairs of identities, genders and first names.

    Each pair is tried in neutral, positive and negative sentences.
    """
    yield _build_expectation("gender", _PERSON_TEMPLATES, _GENDERS)
    yield _build_expectation("women's and men's names", _PERSON_TEMPLATES, _pair_genders())
    yield _build_expectation("names by origin", _PERSON_TEMPLATES, _pair_origins())
    for name, terms in _IDENTITIES.items():
        yield _build_expectation(name, _IDENTITY_TEMPLATES, itertools.combinations(terms, 2))


def _pair_genders() -> Iterator[tuple[str, str]]:
    for women, men in _NAMES.values():
        yield from zip(women, men, strict=True)


def _pair_origins() -> Iterator[tuple[str, str]]:
    for first, second in itertools.combinations(_NAMES.values(), 2):
        for names in zip(first, second, strict=True):
            yield from zip(*names, strict=True)


def _build_expectation(
    name: str,
    templates: tuple[Case, ...],
    pairs: Iterator[tuple[str, str]] | Sequence[tuple[str, str]],
) -> Expectation:
    cases = fill_templates(templates, term=pairs, person=_PERSONS, day=words.DAYS)
    expects = f"the same label, polarities at most {MARGIN:g} apart"
    return Expectation(f"fairness: {name}", "invariance", expects, _are_alike, cases)


def _are_alike(predictions: Sequence[SentimentPrediction]) -> bool:
    first, second = predictions
    return first.label == second.label and abs(first.polarity - second.polarity) <= MARGIN
