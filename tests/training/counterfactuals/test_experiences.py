from __future__ import annotations

import random
import re
from collections import Counter, defaultdict

import pytest
from valence.training.counterfactuals import experience_words, experiences
from valence.training.counterfactuals.experiences import make_experiences


def test_each_template_makes_sentences_of_its_side() -> None:
    made = list(make_experiences(9_000, random.Random(0)))
    assert Counter(max(range(3), key=shares.__getitem__) for _, shares in made) == {
        0: 3_000,
        1: 3_000,
        2: 3_000,
    }
    texts = defaultdict(set)
    for text, shares in made:
        texts[shares].add(text.lower())
    for shares, templates in experiences._KINDS:
        for template in templates:
            pattern = re.compile(".+".join(map(re.escape, re.split(r"\{\w+\}", template.lower()))))
            assert any(pattern.fullmatch(text) for text in texts[shares]), template


def test_no_slot_is_left_and_no_table_is_unused() -> None:
    made = [text for text, _ in make_experiences(3_000, random.Random(1))]
    assert not [text for text in made if "{" in text or "  " in text]
    templates = [*experiences._POSITIVE, *experiences._NEGATIVE, *experiences._NEUTRAL]
    words = [word for table in experience_words.TABLES.values() for word in table]
    used = set(re.findall(r"\{(?:a_)?(\w+)\}", " ".join([*templates, *words])))
    assert used == set(experience_words.TABLES)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("There was a hair in my salad.", 0),
        ("Where is my refund?", 0),
        ("Where is the museum?", 1),
        ("I couldn't be happier.", 2),
        ("It couldn't be worse.", 0),
        ("It could have been so much better.", 0),
    ],
)
def test_the_sentence_decides_and_no_single_word(text: str, side: int) -> None:
    made = dict(make_experiences(60_000, random.Random(0)))
    assert max(range(3), key=made[text].__getitem__) == side
