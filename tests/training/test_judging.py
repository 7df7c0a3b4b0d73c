from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from service.errors import ArtifactError
from training import corpora, judging, store
from training.judging import evaluate_stored, predict_stored
from training.pipeline import Trained, Workspace
from training.progress import Reporter

Stored = tuple[Trained, Workspace]


def test_a_stored_model_scores_as_it_did_when_it_was_trained(
    stored: Stored, silent: type[Reporter]
) -> None:
    made, workspace = stored
    reporter = silent()
    scores = evaluate_stored(
        "toy", engine="reference", workspace=workspace, with_baselines=True, reporter=reporter
    )
    for part in ("dev", "test"):
        found, expected = scores[f"{made.tag} ({part})"], made.evaluations[part]
        assert found.confusion == expected.confusion
        assert found.ece == pytest.approx(expected.ece, abs=1e-6)
        assert found.brier == pytest.approx(expected.brier, abs=1e-6)
    assert scores["VADER (test)"] == made.baselines["VADER"]
    assert "toy: engine reference-cpu" in reporter.said
    assert not any("warning" in line for line in reporter.said)


def test_texts_that_are_not_those_of_the_training_are_told(
    stored: Stored, silent: type[Reporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, workspace = stored
    toy = corpora.CORPORA["toy"]
    fewer = dataclasses.replace(toy, read=lambda path: list(toy.read(path))[:200])
    monkeypatch.setitem(corpora.CORPORA, "toy", fewer)
    reporter = silent()
    scores = evaluate_stored(
        made.tag, engine="reference", workspace=workspace, with_baselines=False, reporter=reporter
    )
    assert len(scores) == 2
    for part in ("train", "dev", "test"):
        assert f"warning: the {part} texts are not those that {made.tag} was made with" in (
            reporter.said
        )


def test_an_answer_has_all_scores_in_order_and_says_what_was_read(stored: Stored) -> None:
    answers = list(predict_stored("toy", ["The film was lovely!", ""], engine="reference"))
    assert len(answers) == 2
    first, empty = answers
    assert first["label"] == "positive"
    assert first["scores"][0]["label"] == "positive"
    assert {score["label"] for score in first["scores"]} == {"negative", "neutral", "positive"}
    values = [score["score"] for score in first["scores"]]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1.0)
    assert first["polarity"] is None
    assert first["usage"] == {
        "characters": 20,
        "tokens": 5,
        "tokens_used": 5,
        "unknown_tokens": 1,  # the toy corpus has no "!"
        "truncated": False,
    }
    assert empty["usage"]["tokens"] == 0


def test_answers_come_while_texts_are_still_read_and_in_their_order(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "_CHUNK", 3)
    words = ["great", "awful", "square", "lovely", "ugly", "local", "superb"]
    read = []

    def texts():
        for word in words:
            read.append(word)
            yield f"The film was {word} again."

    answers = predict_stored("toy", texts(), engine="reference")
    labels = [next(answers)["label"]]
    assert len(read) == 3
    labels += [answer["label"] for answer in answers]
    assert labels == ["positive", "negative", "neutral"] * 2 + ["positive"]


def test_a_model_that_is_not_there_or_damaged_is_refused(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ArtifactError, match="holds no 'absent'"):
        list(predict_stored("absent", ["a"], engine="reference"))
    monkeypatch.setattr(store, "path", lambda tag: tmp_path)
    with pytest.raises(ArtifactError, match="SHA256SUMS"):
        list(predict_stored("toy", ["a"], engine="reference"))
