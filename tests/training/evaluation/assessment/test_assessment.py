from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from valence.service.classifier.artifact import Artifact
from valence.training.behaviour.capability import (
    Capability,
    ScoredText,
    add_comparison,
    summarize_cases,
)
from valence.training.corpora.example import Example
from valence.training.evaluation.assessment import report
from valence.training.evaluation.assessment.assessment import (
    MAX_VALUES,
    Assessment,
    assess_predictions,
    compare_predictions,
    compute_mcnemar_p,
)
from valence.training.evaluation.assessment.mistakes import list_worst_mistakes
from valence.training.evaluation.assessment.texts import EvaluationTexts
from valence.training.metrics.predictions import Predictions
from valence.training.metrics.scores import evaluate

LABELS = ("negative", "neutral", "positive")
random = np.random.default_rng(5)
TRUTH = random.integers(3, size=120)
GOOD = np.eye(3)[np.where(random.random(120) < 0.8, TRUTH, (TRUTH + 1) % 3)] * 0.7 + 0.1
BAD = np.eye(3)[np.where(random.random(120) < 0.5, TRUTH, (TRUTH + 1) % 3)] * 0.7 + 0.1
SECRET = "the secret words of text"


def texts(**columns: list[str]) -> EvaluationTexts:
    examples = tuple(
        Example(f"{SECRET} {number} good movie", LABELS[truth], "file.csv")
        for number, truth in enumerate(TRUTH)
    )
    return EvaluationTexts(
        "file.csv", examples, {name: tuple(values) for name, values in columns.items()}
    )


def assessed(
    artifact: Artifact,
    of: EvaluationTexts,
    *,
    against: tuple[str, Predictions] | None = None,
    behaviour: Sequence[Capability] = (),
) -> Assessment:
    return assess_predictions(
        of,
        Predictions.from_probabilities(GOOD, TRUTH),
        evaluate(GOOD, TRUTH, labels=LABELS),
        model=artifact,
        against=against,
        behaviour=behaviour,
    )


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (3, 9), (9, 3), (50, 50)])
def test_mcnemar_is_the_exact_binomial_test(counts: tuple[int, int]) -> None:
    few, total = min(counts), sum(counts)
    tail = sum(math.comb(total, k) for k in range(few + 1)) / 2**total
    assert compute_mcnemar_p(*counts) == pytest.approx(min(1.0, 2 * tail))


def test_only_a_better_model_is_reported_as_better() -> None:
    good, bad = (
        Predictions.from_probabilities(GOOD, TRUTH),
        Predictions.from_probabilities(BAD, TRUTH),
    )
    found = compare_predictions(good, "other:1", bad)
    change = found.changes["macro_f1"]
    assert 0 < change.low < change.value < change.high
    assert found.mcnemar_p < 0.01
    assert found.only_model > found.only_other
    accuracy = (GOOD.argmax(1) == TRUTH).mean() - (BAD.argmax(1) == TRUTH).mean()
    assert found.changes["accuracy"].value == pytest.approx(accuracy)
    assert found.only_model - found.only_other == pytest.approx(accuracy * 120)
    same = compare_predictions(good, "other:1", good)
    assert (same.changes["macro_f1"].value, same.mcnemar_p) == (0.0, 1.0)


def test_columns_are_slices_and_rare_values_share_a_slice(tiny_artifact: Artifact) -> None:
    shop = ["berlin" if number % 2 else "" for number in range(120)]
    user = [f"u{min(number, 25)}" for number in range(120)]
    found = assessed(tiny_artifact, texts(shop=shop, user=user))
    by_kind: dict[str, list[tuple[str, int]]] = {}
    for part in found.slices:
        by_kind.setdefault(part.kind, []).append((part.name, part.texts))
        assert part.low <= part.value <= part.high
    assert sorted(by_kind["shop"]) == [("(empty)", 60), ("berlin", 60)]
    assert len(by_kind["user"]) == MAX_VALUES + 1
    assert by_kind["user"][-1] == ("6 rarer values", 6)
    assert sum(count for _, count in by_kind["user"]) == 120
    assert {"label"} <= by_kind.keys()


def test_the_most_confident_mistakes_come_first() -> None:
    """Correct answers are never among them."""
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    answers = Predictions.from_probabilities(probabilities, np.array([1, 1, 1, 0]))
    examples = tuple(Example(f"text {n}", "ba"[n == 3], "c") for n in range(4))
    of = EvaluationTexts("c", examples, {"shop": ("p", "q", "r", "s")})
    found = list(list_worst_mistakes(of, answers, ("a", "b"), most=9))
    assert [row["text"] for row in found] == ["text 0", "text 3", "text 2"]
    assert found[0]["given"] == ["a"]
    assert found[0]["labels"] == ["b"]
    assert found[0]["scores"] == {"a": 0.9, "b": 0.1}
    assert found[0]["shop"] == "p"
    assert found[0]["loss"] == pytest.approx(-math.log(0.1), abs=1e-5)
    assert len(list(list_worst_mistakes(of, answers, ("a", "b"), most=1))) == 1
    assert list(list_worst_mistakes(of, answers, ("a", "b"), most=0)) == []


def test_reports_are_complete_escape_names_and_hold_no_text(tiny_artifact: Artifact) -> None:
    shop = ["a|b" if number % 2 else "<script>alert(1)</script>" for number in range(120)]
    failure = (ScoredText(text="I don't <i>like* it.", label="ne|utral", polarity=-0.125),)
    tried = [
        summarize_cases("negation", "minimum functionality", "no", [True, False], [failure]),
        summarize_cases("typo", "invariance", "the same label", [True] * 8),
    ]
    others = [summarize_cases("typo", "invariance", "the same label", [True, False, False])]
    found = assessed(
        tiny_artifact,
        texts(shop=shop),
        against=("other:1", Predictions.from_probabilities(BAD, TRUTH)),
        behaviour=add_comparison(tried, others),
    )
    rows = {found.model: found.evaluation}
    worst = list(
        list_worst_mistakes(texts(), Predictions.from_probabilities(GOOD, TRUTH), LABELS, most=100)
    )
    page = report.render_html(found, rows, report.Mistakes("errors.jsonl", worst))
    marked = report.render_markdown(found, rows, "errors.jsonl")
    quoted = report.render_html(
        found, rows, report.Mistakes("errors.jsonl", worst, with_texts=True)
    )
    assert quoted.count(SECRET) == min(20, len(worst)) > 0
    for written in (page, marked, found.model_dump_json()):
        assert SECRET not in written
    assert "<script>" not in page
    assert "a\\|b" in marked
    assert "\\<i\\>like\\* it" in marked
    assert "&lt;i&gt;like" in page
    for written in (page, marked):
        assert f"{found.evaluation.macro_f1:.4f}" in written
        assert "McNemar" in written
        for told in ("negation", "50.0%", "100.0%", "33.3%", "-0.1"):
            assert told in written
        assert "errors.jsonl" in written
    table: list[int] = []
    for line in [*marked.splitlines(), ""]:
        if line.startswith("|"):
            table.append(line.replace("\\|", "").count("|"))
        else:
            assert len(set(table)) <= 1, marked
            table = []


@pytest.mark.parametrize(
    ("recorded", "told"),
    [
        (None, "The weakest label is"),
        (0.99, "points below its own held-out texts (99.0%)."),
        (0.1, "points above its own held-out texts (10.0%)."),
        (0.8, "Chance explains the difference from its own held-out texts (80.0%)."),
    ],
)
def test_the_page_begins_with_a_verdict(tiny_artifact: Artifact, recorded, told) -> None:
    found = assessed(tiny_artifact, texts()).model_copy(update={"recorded_accuracy": recorded})
    first, second, *_ = report.tell_verdict(found)
    assert first == f"{found.evaluation.accuracy:.1%} of 120 texts get the right label."
    assert told in second
    page = report.render_html(found, {}, report.Mistakes("errors.jsonl"))
    assert told in page
    assert "There is none to show." in page


def test_a_verdict_names_the_better_model(tiny_artifact: Artifact) -> None:
    for other, told in ((BAD, "better than the other model by 0."), (GOOD, "Chance explains")):
        predictions = Predictions.from_probabilities(other, TRUTH)
        found = assessed(tiny_artifact, texts(), against=("other:1", predictions))
        assert told in list(report.tell_verdict(found))[-1]


def test_no_precision_is_told_of_no_text(tiny_artifact: Artifact) -> None:
    found = assessed(tiny_artifact, texts())
    assert found.selective.at_threshold[-1].coverage == 0.0
    assert "of no text" in report.render_html(found, {}, report.Mistakes("errors.jsonl"))
    assert "of no text" in report.render_markdown(found, {}, "errors.jsonl")
