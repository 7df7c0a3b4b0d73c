from __future__ import annotations

import random

import pytest
from valence.training.counterfactuals import contrast
from valence.training.counterfactuals.contrast import make_contrasts, negate_neutral
from valence.training.counterfactuals.frames import Found, Frame

FOUND = Found((Frame("the crew", "was"), Frame("they", "are")), ("friendly",), ("rude",))


def test_a_set_has_the_clause_plain_negated_and_graded() -> None:
    made = list(make_contrasts(FOUND, 4_000, random.Random(0)))
    shares = {copy.text: copy.shares for copy in made}
    assert shares["The crew was friendly."] == contrast.PLAIN_POSITIVE
    assert shares["They are rude."] == contrast.PLAIN_NEGATIVE
    assert shares["The crew wasn't friendly at all."] == contrast.NOT_POSITIVE
    assert shares["They are not rude."] == contrast.NOT_NEGATIVE
    assert any(
        shares.get(f"They are {word} rude.") == contrast.LESS[False] for word in contrast.DOWNTONERS
    )
    assert any(
        shares.get(f"They are {word} rude.") == contrast.MORE[False]
        for word in contrast.INTENSIFIERS
    )


def test_a_set_has_verbs_and_their_negation() -> None:
    shares = {copy.text: copy.shares for copy in make_contrasts(FOUND, 16_000, random.Random(0))}
    assert shares["I praise the crew."] == contrast.PLAIN_POSITIVE
    assert shares["I don't praise the crew."] == contrast.NOT_POSITIVE
    assert shares["I avoid it."] == contrast.PLAIN_NEGATIVE
    assert shares["We do not avoid it."] == contrast.NOT_NEGATIVE
    assert {
        shares.get(f"They are {adverb} rude.", contrast.PLAIN_NEGATIVE)
        for adverb in contrast.ADVERBS
    } == {contrast.PLAIN_NEGATIVE}
    assert any(f"They are {adverb} rude." in shares for adverb in contrast.ADVERBS)


def test_a_negated_clause_is_on_the_other_side() -> None:
    made = list(make_contrasts(FOUND, 2_000, random.Random(0)))
    not_friendly = {shares for text, shares in made if "not friendly" in text.lower()}
    not_rude = {shares for text, shares in made if "not rude" in text.lower()}
    assert not_friendly == {contrast.NOT_POSITIVE}
    assert not_rude == {contrast.NOT_NEGATIVE}


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("The train will leave at noon.", "The train will not leave at noon."),
        ("It is not here.", None),
        ("It isn't here.", None),
        ("Trains leave at noon.", None),
        ("It is " + "very " * 30 + "long", None),
    ],
)
def test_a_neutral_text_is_negated_once(text: str, negated: str | None) -> None:
    assert negate_neutral(text) == negated
