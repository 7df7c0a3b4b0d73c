"""Contrast pairs: a clause of a training text, plain, negated, strengthened and weakened.

Gardner et al.: *Evaluating Models' Local Decision Boundaries via Contrast Sets*, Findings of EMNLP
2020, judge with such pairs; Kaushik, Hovy, Lipton: *Learning the Difference that Makes a Difference
with Counterfactually-Augmented Data*, ICLR 2020, learn from them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from valence.training.behaviour.grammar import add_article, capitalize
from valence.training.counterfactuals.frames import Found, Frame
from valence.training.counterfactuals.sides import Counterfactual, Shares

PLAIN_POSITIVE: Shares = (0.0, 0.15, 0.85)
PLAIN_NEGATIVE: Shares = (0.85, 0.15, 0.0)
NOT_POSITIVE: Shares = (0.75, 0.25, 0.0)
NOT_NEGATIVE: Shares = (0.05, 0.5, 0.45)
MORE: dict[bool, Shares] = {True: (0.0, 0.02, 0.98), False: (0.98, 0.02, 0.0)}
LESS: dict[bool, Shares] = {True: (0.05, 0.45, 0.5), False: (0.5, 0.45, 0.05)}
NEUTRAL: Shares = (0.03, 0.94, 0.03)

INTENSIFIERS = (
    *("absolutely", "totally", "completely", "remarkably", "insanely", "super", "hugely"),
    *("especially", "particularly", "unbelievably", "utterly", "thoroughly", "damn"),
)
DOWNTONERS = (
    *("a bit", "a little", "a tad", "a touch", "a trifle", "a shade", "fairly", "rather", "partly"),
    *("marginally", "fractionally", "minimally", "faintly", "vaguely", "partially", "modestly"),
    *("tolerably", "passably", "loosely", "lightly", "weakly", "relatively", "comparatively"),
    *("more or less", "some type of", "only partly", "only a little", "to a small degree"),
    *("occasionally", "superficially", "halfway"),
)
ADVERBS = (
    *("again", "currently", "usually", "generally", "always", "obviously", "evidently"),
    *("naturally", "certainly"),
)
VERBS = {
    True: ("like", "love", "trust", "value", "praise", "cherish", "welcome", "respect"),
    False: ("dislike", "hate", "resent", "fear", "avoid", "mock", "blame", "criticize", "reject"),
}
NOUNS = (
    *("place", "idea", "day", "job", "team", "story", "season", "project", "car", "shop", "song"),
    *("plan", "choice", "start", "town", "lesson", "meeting", "garden", "design", "event"),
)
PLAIN = (
    *("Swedish", "Canadian", "Greek", "wooden", "digital", "annual", "regional", "electric"),
    *("monthly", "urban", "rural", "metal", "square", "northern", "daily", "printed", "bilingual"),
    *("French", "Korean", "Brazilian", "municipal", "seasonal", "second-hand", "four years long"),
)
ASIDES = (
    *("to be honest", "as far as I can tell", "even after the second visit", "looking back now"),
    *("all things considered", "with everything in mind", "if you ask my sister"),
    *("despite the many promises in the brochure", "since it was late in the evening"),
)

_NEGATED = (
    "{s} {v} not {a}.", "{s} {v} not {a}", "{s} {n} {a}.", "{s} {n} {a} at all.",
    "{s} {v} not {a} at all!", "{s} {v} never {a}.", "{s} {v} by no means {a}.",
    "{s} {n} that {a}.", "{s} {v} not {an} {noun}.", "{s} {n} {an} {noun}.", "not {a}", "Not {a}!",
    "Not {a} at all.", "Honestly not {a}.", "not {an} {noun}", "{s} {n} even {a}.",
)  # fmt: skip
_PLAIN = (
    "{s} {v} {a}.", "{s} {v} {a}", "{s} {v} {a}!", "{s} {v} {an} {noun}.", "{a}", "{A}!",
    "{A} {noun}.", "I find that {s} {v} {a}.", "We all feel that {s} {v} {a}.",
    "I believe, {aside}, that {s} {v} {a}.", "He claimed that {s} {v} {a}, and it is true.",
    "Everyone who came agreed that {s} {v} {a}.", "We hoped that {s} {v} {a}, and so it was.",
    "Some call it {a}, and they are right.", "{A}, {aside}.",
)  # fmt: skip
_DEGREE = (
    "{s} {v} {degree} {a}.", "{s} {v} {degree} {a}.", "{s} {v} {degree} {a}", "{degree} {a}",
    "I find that {s} {v} {degree} {a}.", "We all feel that {s} {v} {degree} {a}.",
    "{s} {v} {degree} {a}, {aside}.",
)  # fmt: skip
_VERB = ("I {w} {o}.", "We {w} {o}!", "They all {w} {o}.", "I {w} {o}", "You will {w} {o}.")
_NEGATED_VERB = (
    "I don't {w} {o}.", "I do not {w} {o}", "We didn't {w} {o} at all.", "They never {w} {o}.",
    "I don't {w} {o}, {aside}.", "You will not {w} {o}.", "We do not {w} {o}.",
)  # fmt: skip
_DISTANT = (
    "I doubt that {s} {v} {a}.", "It is not true that {s} {v} {a}.",
    "I do not believe, {aside}, that {s} {v} {a}.", "None of us felt, {aside}, that {s} {v} {a}.",
    "Hardly anyone, {aside}, found it {a}.", "No one in the group would describe it as {a}.",
    "It would be wrong, {aside}, to say that {s} {v} {a}.",
    "I can't claim, {aside}, that {s} {v} {a}.", "They never told us, {aside}, that {s} {v} {a}.",
    "I didn't find, {aside}, that {s} {v} {a}.", "We could not, {aside}, call it {a}.",
)  # fmt: skip
_FINAL = (
    "We were told that {s} {v} {a}, yet it {is_not}.",
    "{S} {v} {a}, some said. It {is_not}.",
    "I had imagined that {s} would be {a}; it {is_not}.",
    "He claimed it was {a}, although it {is_not}.",
    "Some call it {a}, and they are wrong.",
    "The rumour that {s} {v} {a} is false.",
    "We had bet that it would be {a}, yet it never was.",
    "{A}? Not at all.",
    "{A}? It {is_not}.",
    "She had predicted {an} {noun}, yet it {is_not} one.",
    "Was it {a}? No, it {is_not}.",
    "People say that {s} {v} {a}, but they are mistaken.",
    "My aunt warned us that {s} would be {a}, but she was wrong.",
    "It could have been {an} {noun}, but it never became one.",
    "The leaflet promised {an} {noun}, but we did not get one.",
    "Our guide swore that it would be {a}, but no, it {is_not}.",
    "{S} should have been {a}, though it {is_not}.",
)
_IS_NOT = ("wasn't", "was not", "isn't", "is not")
_CONTRACTED = {"is": "isn't", "was": "wasn't", "are": "aren't", "were": "weren't"}
_NEUTRAL_FRAMES = (
    "{s} {v} {p}.", "{s} {v} {a_p} {noun}.", "{s} {v} not {p}.", "{s} {n} {p}.",
    "{s} {v} not {a_p} {noun}.", "We did not write down {a_p} {noun}.",
    "They did not note the {noun} in the morning.", "They noted the {noun} in the morning.",
    "We didn't move the {noun} to another week.", "We moved the {noun} to another week.",
)  # fmt: skip
_AUXILIARY = re.compile(r"\b(is|was|are|were|will|has|have|can|could|would)\b(?! (?:not|n't))")
_SOMETIMES = 0.5  # share of the sets
_PRONOUNS = frozenset(("he", "she", "they", "you", "we"))
_MAX_WORDS = 25  # of a neutral text that is negated


def make_contrasts(found: Found, count: int, chance: random.Random) -> Iterator[Counterfactual]:
    """About ``count`` copies in sets of the same clause."""
    if not (found.frames and found.positive and found.negative):
        return
    made = 0
    while made < count:
        for copy in _make_set(found, chance):
            made += 1
            yield copy


def draw_adjective(found: Found, chance: random.Random, *, positive: bool) -> str:
    """An adjective of that side; the frequent ones come more often than the rare ones."""
    pool = found.positive if positive else found.negative
    return pool[int(len(pool) * chance.random() ** 1.5)]


def negate_neutral(text: str) -> str | None:
    """A neutral ``text`` with its first auxiliary verb negated; None if it has none."""
    if len(text.split()) > _MAX_WORDS or "not" in text.lower() or "n't" in text:
        return None
    negated, count = _AUXILIARY.subn(r"\1 not", text, count=1)
    return negated if count else None


def _make_set(found: Found, chance: random.Random) -> Iterator[Counterfactual]:
    frame = chance.choice(found.frames)
    positive = chance.random() < 0.5
    adjective = draw_adjective(found, chance, positive=positive)
    fill = _Filler(frame, adjective, chance)
    plain, opposite = (PLAIN_POSITIVE, NOT_POSITIVE) if positive else (PLAIN_NEGATIVE, NOT_NEGATIVE)
    yield Counterfactual(fill(_PLAIN), plain)
    yield Counterfactual(fill(_NEGATED), opposite)
    yield Counterfactual(fill(_DISTANT), opposite)
    yield Counterfactual(fill(_FINAL), opposite)
    yield Counterfactual(fill(_FINAL), opposite)
    yield Counterfactual(fill(_DEGREE, degree=chance.choice(INTENSIFIERS)), MORE[positive])
    for less in chance.sample(DOWNTONERS, 2):
        yield Counterfactual(fill(_DEGREE, degree=less), LESS[positive])
    if chance.random() < _SOMETIMES:
        yield Counterfactual(fill(_DEGREE, degree=chance.choice(ADVERBS)), plain)
        verb = chance.choice(VERBS[positive])
        yield Counterfactual(fill(_VERB, w=verb), plain)
        yield Counterfactual(fill(_NEGATED_VERB, w=verb), opposite)
    yield Counterfactual(fill(_NEUTRAL_FRAMES), NEUTRAL)


class _Filler:
    def __init__(self, frame: Frame, adjective: str, chance: random.Random) -> None:
        self._chance = chance
        self._frame, self._adjective = frame, adjective

    def __call__(self, templates: Sequence[str], **more: str) -> str:
        chance, (subject, verb) = self._chance, self._frame
        plain = chance.choice(PLAIN)
        text = chance.choice(templates).format(
            s=subject, S=capitalize(subject), v=verb, n=_CONTRACTED.get(verb, f"{verb} not"),
            a=self._adjective, A=capitalize(self._adjective), an=add_article(self._adjective),
            noun=chance.choice(NOUNS), aside=chance.choice(ASIDES), is_not=chance.choice(_IS_NOT),
            p=plain, a_p=add_article(plain), o="it" if subject in _PRONOUNS else subject, **more,
        )  # fmt: skip
        return text if chance.random() < 0.3 else capitalize(text)
