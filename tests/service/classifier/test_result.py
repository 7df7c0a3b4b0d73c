from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.service.classifier.classifier import Prediction, Usage
from valence.service.classifier.result import format_judgement, format_result

LABELS = ("a", "b", "c")
READ = Usage(30, 6, 4, 1, 2)


def prediction(*probabilities: float, polarity: float | None = None) -> Prediction:
    label = LABELS[probabilities.index(max(probabilities))]
    return Prediction(label, probabilities, polarity, (label,))


def test_scores_are_ranked_and_ties_keep_the_label_order() -> None:
    found = format_judgement(LABELS, prediction(0.25, 0.5, 0.25), READ)["scores"]
    assert found == [
        {"label": "b", "score": 0.5},
        {"label": "a", "score": 0.25},
        {"label": "c", "score": 0.25},
    ]


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.integers(0, 4))
def test_the_first_score_is_that_of_the_label_for_any_top_k(
    values: list[float], top_k: int
) -> None:
    found = format_judgement(LABELS, prediction(*values), READ, top_k=top_k)
    assert found["scores"][0]["label"] == found["label"]
    assert len(found["scores"]) == min(top_k or 3, 3)


@pytest.mark.parametrize(("least", "label"), [(0.0, "b"), (0.5, "b"), (0.5000001, "uncertain")])
def test_a_label_must_reach_the_requested_confidence(least: float, label: str) -> None:
    asked = prediction(0.25, 0.5, 0.25)
    found = format_judgement(LABELS, asked, READ, min_confidence=least, top_k=1)
    assert found["label"] == label
    assert found["labels"] == ([] if label == "uncertain" else ["b"])
    assert found.get("reason") == ("min_confidence" if label == "uncertain" else None)
    assert found["scores"] == [{"label": "b", "score": 0.5}]


def test_a_multi_label_model_gives_any_number_of_labels() -> None:
    for past in ((), ("a", "c")):
        asked = Prediction("a", (0.25, 0.125, 0.25), None, past)
        assert format_judgement(LABELS, asked, READ)["labels"] == list(past)
        assert format_judgement(LABELS, asked, READ, min_confidence=0.5)["labels"] == []


def test_a_result_holds_a_judgement_and_its_usage() -> None:
    asked = prediction(0.25, 0.5, 0.25, polarity=-0.5)
    found = format_result(LABELS, asked, READ)
    read = found.pop("usage")
    assert found == format_judgement(LABELS, asked, READ)
    assert read == {
        "characters": 30,
        "tokens": 6,
        "tokens_used": 4,
        "unknown_tokens": 1,
        "truncated": True,
        "windows": 2,
    }


@pytest.mark.parametrize(("tokens", "reason"), [(0, "empty"), (3, "unknown_words")])
def test_a_text_without_a_known_word_is_uncertain(tokens: int, reason: str) -> None:
    asked = prediction(0.25, 0.5, 0.25, polarity=0.5)
    usage = Usage(9, tokens, tokens, tokens, unreadable=True)
    found = format_judgement(LABELS, asked, usage)
    assert (found["label"], found["reason"], found["labels"]) == ("uncertain", reason, [])
    assert found["scores"][0] == {"label": "b", "score": 0.5}
    given_label = format_judgement(LABELS, asked, usage, unreadable="label")
    assert given_label == format_judgement(LABELS, asked, READ)
    unsure = format_judgement(LABELS, asked, usage, unreadable="label", min_confidence=0.6)
    assert unsure["reason"] == "min_confidence"


def test_a_text_outside_the_labels_is_uncertain() -> None:
    asked = prediction(0.25, 0.5, 0.25)
    outside, inside = asked._replace(outside=0.9, is_outside=True), asked._replace(outside=0.7)
    found = format_judgement(LABELS, outside, READ)
    assert (found["label"], found["reason"], found["labels"]) == ("uncertain", "outside", [])
    assert found["scores"] == format_judgement(LABELS, asked, READ)["scores"]
    assert found["outside"] == 0.9
    assert "outside" not in format_judgement(LABELS, asked, READ)
    labelled = format_judgement(LABELS, asked, READ)
    assert format_judgement(LABELS, inside, READ) == labelled | {"outside": 0.7}
    likeliest = format_judgement(LABELS, outside, READ, unreadable="label")
    assert likeliest == labelled | {"outside": 0.9}
    unreadable = Usage(9, 3, 3, 3, unreadable=True)
    assert format_judgement(LABELS, outside, unreadable)["reason"] == "unknown_words"
