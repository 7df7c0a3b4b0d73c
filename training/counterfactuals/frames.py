"""The frames and adjectives of training texts: "the crew was" and "friendly"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from valence.training.behaviour.lexicon import WORD_TABLES
from valence.training.counterfactuals.sides import read_lexicon

_SUBJECT = (
    r"(?:(?:the|this|that|these|those|my|your|our|their|his|her)(?: [a-z]+){1,2}"
    r"|it|this|that|he|she|they|you|we)"
)
_VERB = r"(?:is|was|are|were|looks|seems|feels|sounds)"
_DEGREE = r"(?:(?:very|really|so|too|pretty|quite|just|also|still|now) )?"
_CLAUSE = re.compile(
    rf"\b(?P<subject>{_SUBJECT}) (?P<verb>{_VERB}) {_DEGREE}(?P<adjective>[a-z]{{3,}})"
    r"(?=[.,!?;:]|\s*\Z| and\b| but\b)",
    re.IGNORECASE,
)
_GRADED = re.compile(r"\b(?:very|really|so|too|quite|more|most) ([a-z]{3,})\b", re.IGNORECASE)
_CONTRACTION = re.compile(r"\b(it|that|he|she)['’]s\b", re.IGNORECASE)
# weaker words have no clear side
_CLEAR = 1.4
_TAKEN = frozenset(word.lower() for table in WORD_TABLES for word in table)
# past tenses of the judged verbs, and words that are no adjectives
_NOT_ADJECTIVES = frozenset((
    "liked", "loved", "enjoyed", "hated", "disliked", "admired", "appreciated", "recommended",
    "like", "love", "well", "no", "yes", "please", "help", "thanks", "cancelled", "dead", "care",
    "hope", "hoping", "won", "lol", "best", "better", "faith", "friends", "wish", "damage", "lies",
    "suck", "trouble", "shit", "screwed", "bullshit", "crap", "insanity", "damn", "enjoying",
))  # fmt: skip
_ADVERBIAL = ("ily", "ully", "antly", "edly", "ably", "ingly", "nicely", "badly")


class Frame(NamedTuple):
    """The subject and the verb of a clause of a training text."""

    subject: str
    verb: str


class Found(NamedTuple):
    """Frames, and adjectives of each side, most frequent first."""

    frames: tuple[Frame, ...]
    positive: tuple[str, ...]
    negative: tuple[str, ...]


def find_frames(texts: Iterable[str]) -> Found:
    """The frames and adjectives of ``texts``, without the words that judge behaviour."""
    frames: Counter[Frame] = Counter()
    adjectives: Counter[str] = Counter()
    for text in texts:
        for match in _CLAUSE.finditer(_CONTRACTION.sub(r"\1 is", text)):
            subject = match["subject"].lower()
            adjective = match["adjective"].lower()
            if _TAKEN.isdisjoint(subject.split()):
                frames[Frame(subject, match["verb"].lower())] += 1
            adjectives[adjective] += 1
        adjectives.update(adjective.lower() for adjective in _GRADED.findall(text))
    lexicon = read_lexicon()
    usable = [
        word
        for word, count in adjectives.most_common()
        if count >= 2
        and word not in _TAKEN
        and word not in _NOT_ADJECTIVES
        and not word.endswith(_ADVERBIAL)
    ]
    return Found(
        tuple(frames),
        tuple(word for word in usable if lexicon.get(word, 0.0) >= _CLEAR),
        tuple(word for word in usable if lexicon.get(word, 0.0) <= -_CLEAR),
    )
