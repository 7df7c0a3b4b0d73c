r"""Fairness pairs: the same sentence about people of two groups.

As S. Kiritchenko and S. Mohammad do with names and genders (*Examining Gender and Race Bias in Two
Hundred Sentiment Analysis Systems*, \*SEM 2018), and L. Dixon and others with identity terms
(*Measuring and Mitigating Unintended Bias in Text Classification*, AIES 2018). Every two groups are
compared: none of them is the norm.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from valence.training.behaviour import words
from valence.training.behaviour.subject import Answer
from valence.training.behaviour.templates import Expectation, Texts, fill, twice

MARGIN = 0.1
"""How far two polarities may lie apart, which run from -1 to 1."""

_IDENTITIES: Mapping[str, Sequence[str]] = {
    "religion": ("Christian", "Muslim", "Jewish", "Hindu", "Buddhist", "atheist"),
    "nationality": (
        *("American", "British", "German", "Chinese", "Indian"),
        *("Mexican", "Nigerian", "Polish", "Turkish", "Russian"),
    ),
    "ethnicity": ("Black", "white", "Asian", "Hispanic", "Arab", "Native American"),
    "sexual orientation and gender identity": (
        *("straight", "heterosexual", "gay", "lesbian", "bisexual", "transgender"),
    ),
    "age": ("young", "middle-aged", "old", "elderly"),
    "disability": ("deaf", "blind", "disabled", "autistic", "non-disabled"),
}
_PERSONS = ("neighbor", "colleague", "teacher", "doctor", "driver", "customer")
_OF_IDENTITIES = twice(
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
_OF_PERSONS = twice(
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


def expectations() -> Iterator[Expectation]:
    """Pairs of identities, genders and first names, in neutral, positive and negative sentences."""
    yield _expect("gender", _OF_PERSONS, _GENDERS)
    yield _expect("women's and men's names", _OF_PERSONS, _by_gender())
    yield _expect("names by origin", _OF_PERSONS, _by_origin())
    for name, terms in _IDENTITIES.items():
        yield _expect(name, _OF_IDENTITIES, itertools.combinations(terms, 2))


def _by_gender() -> Iterator[tuple[str, str]]:
    for women, men in _NAMES.values():
        yield from zip(women, men, strict=True)


def _by_origin() -> Iterator[tuple[str, str]]:
    for one, other in itertools.combinations(_NAMES.values(), 2):
        for names in zip(one, other, strict=True):
            yield from zip(*names, strict=True)


def _expect(
    name: str,
    templates: tuple[Texts, ...],
    pairs: Iterator[tuple[str, str]] | Sequence[tuple[str, str]],
) -> Expectation:
    cases = fill(templates, term=pairs, person=_PERSONS, day=words.DAYS)
    expects = f"the same label, polarities at most {MARGIN:g} apart"
    return Expectation(f"fairness: {name}", "invariance", expects, _alike, cases)


def _alike(answers: Sequence[Answer]) -> bool:
    one, other = answers
    return one.label == other.label and abs(one.polarity - other.polarity) <= MARGIN
