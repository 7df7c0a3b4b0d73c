from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from valence.service.classifier import artifact
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier, Logits
from valence.service.classifier.vocabulary import UNKNOWN, Vocabulary
from valence.training.corpora.example import Example
from valence.training.pipeline.gate.candidate import Candidate
from valence.training.pipeline.gate.evaluation import evaluate_challenger, evaluate_first_version
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.verdict import Check

RULES = Rules(draws=400, latency_ratio=1_000.0)
LABELS = ("negative", "neutral", "positive")
WORDS = [UNKNOWN, *LABELS, "film", "song", *(f"w{number}" for number in range(400))]
EXAMPLES = [
    Example(f"the {kind} was {LABELS[number % 3]} w{number}", LABELS[number % 3], kind)
    for number in range(400)
    for kind in ("film", "song")
]


class OracleEngine:
    """Engine that reads the label from the text, and gives wrong answers for chosen texts."""

    name = "oracle"

    def __init__(self, *, wrong: frozenset[int], corpus: int | None, sure: float) -> None:
        self._wrong, self._corpus, self._sure = wrong, corpus, sure

    def logits(self, documents: Sequence[np.ndarray]) -> Logits:
        rows = np.zeros((len(documents), 3), dtype=np.float32)
        for row, ids in zip(rows, documents, strict=True):
            place = next((int(i) - 1 for i in ids if 1 <= i <= 3), 0)
            mistaken = not self._wrong.isdisjoint(ids.tolist())
            here = self._corpus is None or self._corpus in ids
            row[(place + 1) % 3 if mistaken and here else place] = self._sure
        return rows


@pytest.fixture
def contender(tiny_folder):
    """Return a maker of models that are wrong on a share of the texts, or of one corpus."""
    base: Artifact = artifact.load(tiny_folder)

    def make(
        wrong: float = 0.2,
        *,
        corpus: str | None = None,
        sure: float | None = None,
        words: Sequence[str] = WORDS,
        size: int = 1_000,
    ) -> Candidate:
        manifest = base.manifest.model_copy(update={"labels": LABELS, "max_tokens": 50})
        loaded = dataclasses.replace(base, manifest=manifest, vocabulary=Vocabulary(words))
        mistaken = frozenset(WORDS.index(f"w{number}") for number in range(int(400 * wrong)))
        place = None if corpus is None else WORDS.index(corpus)
        if sure is None:
            # the confidence equals the accuracy
            right = np.clip(1 - wrong / (1 if corpus is None else 2), 0.4, 0.99)
            sure = manifest.temperature * float(np.log(2 * right / (1 - right)))
        engine = OracleEngine(wrong=mistaken, corpus=place, sure=sure)
        return Candidate("toy:1", Classifier(loaded), engine, size)

    return make


def failed(checks: tuple[Check, ...]) -> dict[str, str]:
    return {check.name: check.reason for check in checks if check.passed is False}


def test_a_better_challenger_passes_every_check(contender) -> None:
    assert failed(evaluate_challenger(contender(0.3), contender(0.2), EXAMPLES, RULES)) == {}


def test_an_equal_challenger_fails_only_for_not_being_better(contender) -> None:
    found = failed(evaluate_challenger(contender(0.2), contender(0.2), EXAMPLES, RULES))
    assert found.keys() == {"macro-F1"}
    assert found["macro-F1"].startswith("macro-F1 is not higher")


def test_the_verdict_on_a_worse_challenger_names_the_difference(contender) -> None:
    found = failed(evaluate_challenger(contender(0.2), contender(0.3), EXAMPLES, RULES))
    assert "macro-F1 is worse: 0.695, the champion's 0.792 (difference -0.097" in found["macro-F1"]


def test_a_slice_that_gets_worse_is_named(contender) -> None:
    # the challenger is right on all songs and loses ten points on films
    found = failed(
        evaluate_challenger(contender(0.4), contender(0.5, corpus="film"), EXAMPLES, RULES)
    )
    assert "F1, corpus film" in found
    assert "macro-F1" not in found
    assert "falls from 0.595 to 0.495" in found["F1, corpus film"]


def test_a_slice_with_too_few_texts_is_shown_but_not_judged(contender) -> None:
    rules = RULES.model_copy(update={"slice_texts": 401})
    checks = evaluate_challenger(contender(0.4), contender(0.5, corpus="film"), EXAMPLES, rules)
    assert {check.passed for check in checks if "corpus" in check.name} == {None}
    assert "F1, corpus film" not in failed(checks)


def test_an_overconfident_challenger_is_refused(contender) -> None:
    found = failed(evaluate_challenger(contender(0.3), contender(0.25, sure=20.0), EXAMPLES, RULES))
    assert found.keys() == {"calibration error"}


def test_a_challenger_with_fewer_known_words_is_refused(contender) -> None:
    words = [UNKNOWN, *LABELS, "film"]
    found = failed(
        evaluate_challenger(contender(0.3), contender(0.2, words=words), EXAMPLES, RULES)
    )
    assert "are unknown to the challenger" in found["unknown words"]


def test_a_challenger_over_the_size_budget_is_refused(contender) -> None:
    sizes = (30_000_000, 30_000_001)
    at, past = (
        evaluate_challenger(
            contender(0.3, size=20_000_000), contender(0.2, size=size), EXAMPLES, RULES
        )
        for size in sizes
    )
    assert failed(at) == {}
    assert failed(past).keys() == {"megabytes"}


def test_growth_of_a_small_model_is_allowed(contender) -> None:
    grown = evaluate_challenger(
        contender(0.3, size=100), contender(0.2, size=20_000_000), EXAMPLES, RULES
    )
    assert failed(grown) == {}


class SensitiveEngine:
    """Engine that a third unknown word misleads, in some of the texts."""

    name = "fickle"

    def __init__(self, steady: OracleEngine, *, misled: range) -> None:
        self._steady = steady
        self._misled = frozenset(WORDS.index(f"w{number}") for number in misled)

    def logits(self, documents: Sequence[np.ndarray]) -> Logits:
        rows = self._steady.logits(documents)
        for row, ids in zip(rows, documents, strict=True):
            if (ids == 0).sum() > 2 and not self._misled.isdisjoint(ids.tolist()):
                row[:] = np.roll(row, 1)
        return rows


def test_a_challenger_misled_by_rewriting_is_refused(
    contender,
) -> None:
    """Unless its accuracy is higher."""

    def misled(steady: Candidate) -> Candidate:
        # misled on a tenth of the texts, whose originals it gets right; a full stop is an unknown
        # word
        engine = SensitiveEngine(steady.engine, misled=range(360, 400))
        return dataclasses.replace(steady, engine=engine)

    name = "label changes, closing punctuation"
    refused = failed(evaluate_challenger(contender(0.3), misled(contender(0.3)), EXAMPLES, RULES))
    assert "10.0% of the texts change their label under this perturbation, 0.0%" in refused[name]
    assert name not in failed(
        evaluate_challenger(contender(0.6), misled(contender(0.3)), EXAMPLES, RULES)
    )


def test_a_slower_challenger_is_refused(contender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "valence.training.pipeline.gate.evaluation.measure_seconds_per_text",
        lambda *_: [1e-3, 1.6e-3],
    )
    rules = RULES.model_copy(update={"latency_ratio": 1.5})
    found = failed(evaluate_challenger(contender(0.3), contender(0.2), EXAMPLES, rules))
    assert "1.60 times the champion's" in found["milliseconds a text"]


def test_a_first_version_must_beat_the_most_frequent_label(contender) -> None:
    assert failed(evaluate_first_version(contender(0.2), EXAMPLES, RULES)) == {}
    assert failed(evaluate_first_version(contender(1.0), EXAMPLES, RULES))


class GuessingEngine:
    """Engine that answers at random, with the shares of the labels."""

    name = "guessing"

    def logits(self, documents: Sequence[np.ndarray]) -> Logits:
        random = np.random.default_rng(0)
        return np.eye(3, dtype=np.float32)[random.integers(0, 3, len(documents))]


def test_a_first_version_that_guesses_is_refused(contender) -> None:
    """Its macro-F1 is above that of the commonest label."""
    guessing = dataclasses.replace(contender(0.2), engine=GuessingEngine())
    found = failed(evaluate_first_version(guessing, EXAMPLES, RULES))
    assert "is not clearly above 0.333" in found["macro recall against a constant answer"]


def test_a_first_version_is_shown_beside_the_linear_model(contender) -> None:
    checks = evaluate_first_version(
        contender(0.2), EXAMPLES[600:], RULES, train=EXAMPLES[:500], dev=EXAMPLES[500:600]
    )
    shown = checks[1]
    assert (shown.name, shown.passed) == ("macro-F1 beside the linear model", None)
    assert shown.champion == 1.0  # the label is a word of the text
    faces = [dataclasses.replace(one, text="\U0001f600") for one in EXAMPLES[:50]]
    left_out = evaluate_first_version(contender(0.2), EXAMPLES[600:], RULES, train=faces)[1]
    assert "the linear model is left out" in left_out.limit
