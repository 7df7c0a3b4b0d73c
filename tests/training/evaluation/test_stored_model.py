from __future__ import annotations

import dataclasses
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from valence.service.api.http.routes import Context
from valence.service.api.v1.classification import classify_in_process
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.service.classifier.truncation import Truncation
from valence.service.errors import ArtifactError, TextTooLong
from valence.service.inference.admission import QueueLimits
from valence.service.inference.engines import factory
from valence.service.inference.models import Models
from valence.service.inference.scorer import Scorer
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.settings import Settings
from valence.training.corpora import catalog
from valence.training.evaluation.stored_model import evaluate_stored_model, predict_texts
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

pytestmark = pytest.mark.integration

Stored = tuple[Trained, Workspace]


def test_a_stored_model_scores_as_in_its_training(stored: Stored, silent: type[Reporter]) -> None:
    made, workspace = stored
    reporter = silent()
    scores = evaluate_stored_model(
        "toy", engine="reference", run=Run(workspace, reporter), with_baselines=True
    )
    for part in ("dev", "test"):
        found, expected = scores[f"{made.tag} ({part})"], made.evaluations[part]
        assert found.confusion == expected.confusion
        assert found.ece == pytest.approx(expected.ece, abs=1e-6)
        assert found.brier == pytest.approx(expected.brier, abs=1e-6)
    assert scores["VADER (test)"] == made.baselines["VADER"]
    assert "toy: engine reference-cpu" in reporter.said
    assert not any("warning" in line for line in reporter.said)


def test_texts_other_than_those_of_the_training_are_reported(
    stored: Stored, silent: type[Reporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, workspace = stored
    toy = catalog.CORPORA["toy"]
    fewer = dataclasses.replace(toy, read=lambda path: list(toy.read(path))[:200])
    monkeypatch.setitem(catalog.CORPORA, "toy", fewer)
    reporter = silent()
    scores = evaluate_stored_model(
        made.tag, engine="reference", run=Run(workspace, reporter), with_baselines=False
    )
    assert len(scores) == 2
    for part in ("train", "dev", "test"):
        assert f"warning: the {part} texts differ from those that {made.tag} was made with" in (
            reporter.said
        )


def test_an_answer_has_all_scores_in_order_and_its_usage(stored: Stored) -> None:
    answers = list(predict_texts("toy", ["The film was lovely!", ""], engine="reference"))
    assert len(answers) == 2
    first, empty = answers
    assert first["label"] == "positive"
    assert first["scores"][0]["label"] == "positive"
    assert {score["label"] for score in first["scores"]} == {"negative", "neutral", "positive"}
    values = [score["score"] for score in first["scores"]]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1.0)
    # of 42 dev texts, all are labelled right, so they make the model no surer
    assert 0.3 < first["polarity"] <= 1.0
    assert first["usage"] == {
        "characters": 20,
        "tokens": 5,
        "tokens_used": 5,
        "unknown_tokens": 1,  # the vocabulary of the toy corpus lacks "!"
        "truncated": False,
        "windows": 1,
    }
    assert empty["usage"]["tokens"] == 0


def test_answers_are_streamed_in_order_while_texts_are_read(stored: Stored) -> None:
    words = ["great", "awful", "square", "lovely", "ugly", "local"] * 300
    read = []

    def texts():
        for word in words:
            read.append(word)
            yield f"The film was {word} again."

    answers = predict_texts("toy", texts(), engine="reference")
    labels = [next(answers)["label"]]
    assert len(read) < len(words)
    labels += [answer["label"] for answer in answers]
    assert labels == ["positive", "negative", "neutral"] * 600


@pytest.mark.parametrize("truncation", ["head", "tail", "head_tail", "window"])
async def test_the_service_gives_the_answers_of_predict(
    stored: Stored, truncation: Truncation
) -> None:
    """For one text and in any batch."""
    loaded = artifact.load(store.find_model("toy"))
    most = loaded.manifest.max_tokens
    texts = ["The film was lovely!", "", "great " * most + "awful " * most, "awful", "ugly " * most]
    expected = list(predict_texts("toy", texts, engine="reference", truncation=truncation))
    assert expected[2]["usage"]["windows"] == (3 if truncation == "window" else 1)

    models, metrics, log = Models(), Metrics(version="test"), Log(io.StringIO())
    models.open([
        Scorer(
            Classifier(loaded),
            factory.create(loaded, name="auto", log=log),
            limits=QueueLimits(10_000, 100_000),
            worker=ThreadPoolExecutor(1),
            metrics=metrics,
        )
    ])  # fmt: skip
    context = Context(Settings(), models, metrics, log, ())

    async def ask(*asked: str) -> list[dict[str, Any]]:
        fields: dict[str, object] = {"texts": list(asked), "truncation": truncation}
        results: list[dict[str, Any]] = (await classify_in_process(context, fields))["results"]
        return results

    together = [await ask(*texts), (await ask(*texts[::-1]))[::-1]]
    for found in (*together, [(await ask(text))[0] for text in texts]):
        for answer, wanted in zip(found, expected, strict=True):
            assert answer.keys() == wanted.keys()
            assert answer["usage"] == wanted["usage"]
            scores, wanted_scores = (
                {score["label"]: score["score"] for score in side["scores"]}
                for side in (answer, wanted)
            )
            # the served engine may compute in 16 bits
            assert scores == pytest.approx(wanted_scores, abs=1e-3)


def test_predict_names_the_text_that_is_too_long(stored: Stored) -> None:
    most = artifact.load(store.find_model("toy")).manifest.max_tokens
    texts = ["great", "great " * most, "great " * (most + 1)]
    with pytest.raises(TextTooLong, match=rf"text 3: the text has {most + 1} tokens"):
        list(predict_texts("toy", texts, engine="reference", truncation="error"))
    assert len(list(predict_texts("toy", texts[:2], engine="reference", truncation="error"))) == 2


def test_a_missing_or_damaged_model_is_refused(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ArtifactError, match="does not have 'absent'"):
        list(predict_texts("absent", ["a"], engine="reference"))
    monkeypatch.setattr(store, "find_model", lambda tag: tmp_path)
    with pytest.raises(ArtifactError, match="SHA256SUMS"):
        list(predict_texts("toy", ["a"], engine="reference"))
