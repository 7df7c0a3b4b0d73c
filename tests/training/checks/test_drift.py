from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from valence.service.classifier.vocabulary import UNKNOWN, Vocabulary
from valence.service.errors import ArtifactError
from valence.training.checks import profile
from valence.training.checks.drift import jensen_shannon, measure_drift, psi
from valence.training.corpora.example import Example

WORDS = [f"w{number}" for number in range(400)]


def sample(seed: int, *, words=WORDS, length: int = 12, share: float = 0.5) -> list[Example]:
    chance = random.Random(seed)
    return [
        Example(
            " ".join(chance.choices(words, k=chance.randint(length // 2, 2 * length))),
            "a" if chance.random() < share else "b",
            "mine",
        )
        for _ in range(600)
    ]


VOCABULARY = Vocabulary([UNKNOWN, *WORDS])
OLD = profile.profile_examples(sample(0), vocabulary=VOCABULARY)


def drifted_checks(new: list[Example]) -> list[str]:
    described = profile.profile_examples(new, vocabulary=VOCABULARY, words=tuple(OLD.words))
    return [
        finding.message.partition(" have moved")[0] for finding in measure_drift(OLD, described)
    ]


@pytest.mark.parametrize("seed", range(1, 11))
def test_another_sample_of_the_same_data_has_not_drifted(seed: int) -> None:
    assert drifted_checks(sample(seed)) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"share": 0.8}, ["label shares"]),
        ({"length": 40}, ["lengths"]),
        ({"words": WORDS[:200]}, ["words"]),
        ({"words": [*WORDS, *(f"new{n}" for n in range(60))]}, ["words", "unknown words"]),
    ],
)
def test_only_the_drifted_property_is_named(change: dict[str, object], expected: list[str]) -> None:
    assert drifted_checks(sample(1, **change)) == expected


def test_the_measures_agree_with_their_definitions() -> None:
    old, new = np.array([700_000, 300_000]), np.array([500_000, 500_000])
    expected = 0.2 * np.log(0.7 / 0.5) + (-0.2) * np.log(0.3 / 0.5)
    assert psi(old, new) == pytest.approx(expected, abs=1e-5)
    assert jensen_shannon(np.array([10**6, 0]), np.array([0, 10**6])) == pytest.approx(1, abs=1e-5)
    assert psi(old, old) == jensen_shannon(old, old) == 0


def test_without_texts_to_compare_there_is_no_drift() -> None:
    nothing = np.zeros(3, dtype=np.int64)
    assert psi(nothing, nothing) == jensen_shannon(nothing, np.array([1, 2, 3])) == 0


def test_a_profile_has_correct_counts() -> None:
    examples = [Example("One one two.", "a", "c"), Example("Three", "b", "c")]
    found = profile.profile_examples(examples, vocabulary=Vocabulary([UNKNOWN, "one", "."]))
    assert (found.texts, found.tokens, found.labels) == (2, 5, {"a": 1, "b": 1})
    assert found.words == {"one": 2, "two": 1, ".": 1, "three": 1}
    assert found.unknown_words == 2
    assert sum(found.lengths) == 2
    assert found.lengths[0] == 2


def test_a_length_equal_to_a_bound_belongs_to_its_class() -> None:
    """The longest texts have a class of their own."""
    last = profile.LENGTHS[-1]
    counts = [profile.LENGTHS[0], profile.LENGTHS[0] + 1, last, last + 1]
    found = profile.profile_examples(
        [Example(" ".join(["x"] * count), "a", "c") for count in counts]
    )
    assert (found.lengths[0], found.lengths[1], found.lengths[-2:]) == (1, 1, (1, 1))


def test_a_profile_survives_a_file_and_damage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / profile.FILE
    assert profile.read_profile(path) is None
    path.write_text(OLD.model_dump_json(), encoding="utf-8")
    assert profile.read_profile(path) == OLD
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"profile\.json: no profile"):
        profile.read_profile(path)
