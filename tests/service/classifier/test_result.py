from __future__ import annotations

import random
import struct

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.service.classifier import result
from valence.service.classifier.classifier import Prediction, Usage
from valence.service.classifier.result import (
    Reason,
    ResultWriter,
    find_doubt,
    format_judgement,
    format_result,
)

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


@pytest.fixture(params=["kernel", "python"])
def writer_class(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> type[ResultWriter]:
    if request.param == "python":
        monkeypatch.setattr(result, "find_class", lambda _: None)
    elif result.find_class("ResultWriter") is None:
        pytest.skip("the kernel is not built")
    return ResultWriter


ODD_LABELS = ('say "no"', "\u00e4\n\u2028", "\U0001f600\\", "plain")


def draw_answer(draw: random.Random) -> tuple[Prediction, Usage]:
    scores = tuple(
        draw.choice(
            (0.0, 1.0, 0.25, 5e-324, 1e-5, 9.999e-6, draw.random(), 10 ** -(9 * draw.random()))
        )
        for _ in ODD_LABELS
    )
    given = tuple(label for label in ODD_LABELS if draw.random() < 0.4)
    outside = draw.choice((None, draw.random()))
    made = Prediction(
        ODD_LABELS[scores.index(max(scores))],
        scores,
        draw.choice((None, draw.uniform(-1, 1), -1.0, 0.0, -0.0)),
        given,
        outside,
        outside is not None and outside > 0.5,
    )
    tokens = draw.randrange(700)
    used = min(tokens, draw.choice((512, 3)))
    usage = Usage(
        draw.randrange(10**5), tokens, used, draw.randrange(used + 1), 1, draw.random() < 0.2
    )
    return made, usage


def test_the_writer_writes_what_format_result_shapes(writer_class: type[ResultWriter]) -> None:
    draw = random.Random(5)
    writer = writer_class(ODD_LABELS)
    for _ in range(2_000):
        answers = [draw_answer(draw) for _ in range(draw.randrange(1, 4))]
        top_k, least = draw.randrange(6), draw.choice((0.0, 0.5, 1.0))
        reasons: list[Reason | None] = [
            find_doubt(
                made, max(made.probabilities), usage, min_confidence=least, unreadable="uncertain"
            )
            for made, usage in answers
        ]
        shaped = [
            format_result(ODD_LABELS, made, usage, top_k=top_k, min_confidence=least)
            for made, usage in answers
        ]
        assert writer.write(answers, reasons, top_k=top_k) == pydantic_core.to_json(shaped)[1:-1]


def find_wrong_numbers(count: int) -> list[float]:
    """Those of ``count`` numbers of any size that the writer does not write as pydantic does."""
    draw = random.Random(7)
    writer = ResultWriter(LABELS)
    wrong = []
    for turn in range(count):
        value = float("inf")
        while value - value != 0:
            (value,) = struct.unpack("d", draw.randbytes(8))
        if turn % 3 == 0:
            value = draw.random()
        elif turn % 3 == 1:
            value = round(
                draw.uniform(-1e18, 1e18) * 10.0 ** -draw.randrange(26), draw.randrange(9)
            )
        written = writer.write([(prediction(0.5, 0.25, 0.25, polarity=value), READ)], [None])
        expected = pydantic_core.to_json(value)
        if written.partition(b'"polarity":')[2].partition(b",")[0] != expected:
            wrong.append(value)
    return wrong


def test_numbers_are_written_as_pydantic_writes_them() -> None:
    assert find_wrong_numbers(20_000) == []


@pytest.mark.slow
def test_a_million_numbers_are_written_as_pydantic_does() -> None:
    assert find_wrong_numbers(1_000_000) == []
