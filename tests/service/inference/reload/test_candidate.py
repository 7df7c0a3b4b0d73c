"""What is checked of a version before it is served."""

from __future__ import annotations

import json

import numpy as np
import pytest
from valence.service.classifier import artifact, golden, seal
from valence.service.inference.reload.candidate import Refusal, prepare

from tests.service.inference.reload.conftest import IGNORED
from tests.support.model_stores import put_model

pytestmark = pytest.mark.filterwarnings(IGNORED)


def refusal(service, folder):
    with pytest.raises(Refusal) as refused:
        prepare(service.loader, folder, service.models.get())
    return refused.value.outcome, str(refused.value)


def test_a_sound_version_becomes_a_scorer(make_service):
    service = make_service()
    folder = put_model("sentiment", "2", seed=2)
    assert prepare(service.loader, folder, service.models.get()).version == "2"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", ["neutral", "negative", "positive"]),
        ("polarity", {"negative": -1.0, "neutral": 0.5, "positive": 1.0}),
        ("name", "other"),
    ],
)
def test_another_promise_to_clients_is_incompatible(make_service, field, value):
    service = make_service()
    folder = put_model("sentiment", "2", seed=2)
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(manifest | {field: value}))
    seal.seal(folder)
    outcome, reason = refusal(service, folder)
    assert outcome == "incompatible"
    assert field in reason


def test_a_folder_of_another_version_is_damaged(make_service):
    service = make_service()
    folder = put_model("sentiment", "2", seed=2)
    outcome, reason = refusal(service, folder.rename(folder.with_name("3")))
    assert outcome == "damaged"
    assert "has the version 2" in reason


def test_other_golden_answers_are_unfit(make_service):
    service = make_service()
    folder = put_model("sentiment", "2", seed=2)
    (folder / "report").mkdir()
    wrong = golden.GoldenAnswer(text="good", probabilities=(1.0, 0.0, 0.0))
    golden.write(folder / "report" / golden.FILE, [wrong])
    seal.seal(folder)
    outcome, reason = refusal(service, folder)
    assert outcome == "unfit"
    assert "sentiment:2" in reason
    assert "good" not in reason


def test_numbers_that_are_not_finite_are_unfit(make_service, monkeypatch):
    service = make_service()
    folder = put_model("sentiment", "2", seed=2)

    class Overflowing:
        name = "overflowing"

        def logits(self, documents):
            return np.full((len(documents), 3), np.nan, dtype=np.float32)

    monkeypatch.setattr(type(service.loader), "make_engine", lambda *_: Overflowing())
    assert refusal(service, folder)[0] == "unfit"


def test_a_slower_version_is_refused(make_service, monkeypatch):
    service = make_service()
    folder = put_model("sentiment", "2", seed=2)
    make_engine = type(service.loader).make_engine

    class Slow:
        name = "slow"

        def __init__(self, engine):
            self.engine = engine

        def logits(self, documents):
            for _ in range(20):
                answer = self.engine.logits(documents)
            return answer

    monkeypatch.setattr(
        type(service.loader), "make_engine", lambda *given: Slow(make_engine(*given))
    )
    outcome, reason = refusal(service, folder)
    assert outcome == "slower"
    assert "VALENCE_RELOAD_SLOWDOWN allows 2" in reason
    assert service.sample("valence_tokens_total", model="sentiment", version="2") is None


def test_recorded_answers_are_those_of_the_artifact(make_service):
    """The service takes a version whose recorded answers are its own."""
    service = make_service()
    folder = put_model("sentiment", "2", seed=2)
    scorer = service.loader.load(folder)
    texts = golden.choose_texts(scorer.classifier.artifact.vocabulary.words)
    found = scorer._predict([scorer.classifier.encode_head(text).ids for text in texts])
    answers = [
        golden.GoldenAnswer(text=text, probabilities=one.probabilities)
        for text, one in zip(texts, found, strict=True)
    ]
    (folder / "report").mkdir()
    golden.write(folder / "report" / golden.FILE, answers)
    seal.seal(folder)
    assert artifact.load(folder).golden == tuple(answers)
    assert prepare(service.loader, folder, service.models.get()).version == "2"
