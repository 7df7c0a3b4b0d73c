from __future__ import annotations

import random
import sys

import pytest
from valence.service.errors import ConfigurationError
from valence.training.checks.label_noise import find_suspects, report_noise
from valence.training.corpora.example import Example

WORDS = {
    label: [f"{label}{number}" for number in range(60)] for label in ("sport", "money", "film")
}
COMMON = [f"common{number}" for number in range(60)]


def made(count: int = 80) -> list[Example]:
    chance = random.Random(0)
    return [
        Example(" ".join([*chance.choices(words, k=8), *chance.choices(COMMON, k=8)]), label, "c")
        for label, words in WORDS.items()
        for _ in range(count)
    ]


def test_planted_label_errors_are_found_with_the_right_label() -> None:
    examples = made()
    planted = random.Random(1).sample(range(len(examples)), 12)
    truth = {}
    for place in planted:
        right = examples[place]
        wrong = next(label for label in WORDS if label != right.label)
        examples[place] = Example(right.text, wrong, "c")
        truth[right.text] = right.label
    found = find_suspects(examples)
    named = {suspect.example.text: suspect.suggested for suspect in found}
    assert sum(named.get(text) == label for text, label in truth.items()) >= 11
    assert len(found) <= 24
    assert all(suspect.given_probability <= suspect.suggested_probability for suspect in found)
    (said,) = report_noise(found, len(examples))
    assert (said.check, said.severity, said.count) == ("label_noise", "warning", len(found))


def test_correct_labels_give_no_suspects() -> None:
    assert find_suspects(made()) == ()
    assert report_noise((), 240) == []


def test_a_label_with_fewer_texts_than_folds_is_left_out() -> None:
    examples = [*made(20), *(Example(f"lonely {number}", "rare", "c") for number in range(4))]
    assert not [suspect for suspect in find_suspects(examples) if suspect.example.label == "rare"]
    assert find_suspects(examples[-4:]) == ()


@pytest.mark.parametrize("text", ["\U0001f600 \U0001f680", "a b", "!!! ?"])
def test_texts_without_words_are_not_judged_and_a_note_says_so(text: str) -> None:
    examples = [Example(text, label, "c") for label in ("a", "b") for _ in range(9)]
    assert find_suspects(examples) is None
    (said,) = report_noise(None, len(examples))
    assert (said.severity, said.count) == ("note", 0)
    assert "no text holds a word of two letters" in said.message


def test_without_cleanlab_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(ConfigurationError, match=r"cleanlab is not installed: pip install"):
        find_suspects(made(5))
