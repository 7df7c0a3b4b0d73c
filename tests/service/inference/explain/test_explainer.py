"""Explanations of texts, through the queue."""

from __future__ import annotations

import asyncio
import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from valence.service.classifier.classifier import Classifier
from valence.service.classifier.tokenizer import ENGLISH, SCRIPTS, tokenize
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import Overloaded, TextTooLong
from valence.service.inference.admission import QueueLimits
from valence.service.inference.engines.reference import ReferenceEngine
from valence.service.inference.explain.explainer import Explainer, find_places
from valence.service.inference.scored import ScoreRequest
from valence.service.inference.scorer import Scorer
from valence.service.inference.turns import Turns
from valence.service.observability.metrics.service import Metrics

TEXT = "The \U0001f600 movie was n't bad, zyx!  Very good."


def make(artifact, *, items: int = 1000, tokens: int = 1_000_000) -> Scorer:
    return Scorer(
        Classifier(artifact),
        ReferenceEngine(artifact),
        limits=QueueLimits(items, tokens),
        worker=ThreadPoolExecutor(1),
        metrics=Metrics(version="test"),
    )


@pytest.fixture
def short(tiny_artifact):
    """Return a model that reads five tokens of a text."""
    manifest = tiny_artifact.manifest.model_copy(update={"max_tokens": 5})
    return dataclasses.replace(tiny_artifact, manifest=manifest)


async def explain(scorer: Scorer, *texts: str, **options):
    scored = await scorer.score(ScoreRequest(texts, explain=True, **options))
    labels = [explanation.label for explanation in scored.explanations]
    assert labels == [prediction.label for prediction in scored.predictions]
    return scored.explanations


async def test_an_explanation_has_each_token_with_its_offsets(tiny_artifact):
    """It says whether the token is known."""
    (explanation,) = await explain(make(tiny_artifact), TEXT)
    assert [TEXT[t["start"] : t["end"]] for t in explanation.tokens] == [
        "The", "\U0001f600", "movie", "was", "n't", "bad", ",", "zyx", "!", "Very", "good", ".",
    ]  # fmt: skip
    unknown = [TEXT[t["start"] : t["end"]] for t in explanation.tokens if t["unknown"]]
    assert unknown == ["\U0001f600", ",", "zyx"]
    assert not any(token["truncated"] for token in explanation.tokens)
    assert all(token["contribution"] == 0 for token in explanation.tokens if token["unknown"])


@pytest.mark.parametrize("truncation", ["head", "window"])
async def test_a_misspelled_word_contributes_like_its_correction(tiny_artifact, truncation):
    """The token is still reported as unknown."""
    words = Vocabulary(tiny_artifact.vocabulary, misspelled="nearest")
    scorer = make(dataclasses.replace(tiny_artifact, vocabulary=words))
    right, wrong = await explain(
        scorer, "a very good movie", "a very good moive", truncation=truncation
    )
    assert [token["unknown"] for token in right.tokens[1:]] == [False] * 3
    assert [token["unknown"] for token in wrong.tokens[1:]] == [False, False, True]
    assert [token["contribution"] for token in wrong.tokens] == [
        token["contribution"] for token in right.tokens
    ]
    assert wrong.tokens[-1]["contribution"] != 0
    found = await scorer.activations(ScoreRequest(["good moive"]), max_units=1)
    assert [unknown for _, unknown in found.tokens] == [False, True]


@pytest.mark.parametrize("rules", [ENGLISH, SCRIPTS])
async def test_tokens_and_offsets_are_those_of_the_rules_of_the_model(tiny_artifact, rules):
    words = Vocabulary(tiny_artifact.vocabulary, rules=rules)
    scorer = make(dataclasses.replace(tiny_artifact, vocabulary=words))
    text = "good 电影，น้ำดี movie"
    tokens = ["good", "电", "影", "，", "น้ำ", "ดี", "movie"]
    if rules == ENGLISH:
        tokens = ["good", "电影", "，", "น้ำดี", "movie"]
    (explanation,) = await explain(scorer, text)
    assert [text[token["start"] : token["end"]] for token in explanation.tokens] == tokens
    assert [token["unknown"] for token in explanation.tokens] == [
        token not in ("good", "movie") for token in tokens
    ]
    found = await scorer.activations(ScoreRequest([text]), max_units=1)
    assert [token.surface for token, _ in found.tokens] == tokens


@pytest.mark.parametrize("label", ["negative", "neutral", "positive"])
def test_contributions_sum_to_the_logit_of_the_engine(tiny_artifact, label):
    classifier = Classifier(tiny_artifact)
    engine = ReferenceEngine(tiny_artifact)
    explainer = Explainer(classifier, engine)
    for text in (TEXT, "good", ""):
        reading = classifier.encode_windows(text, "head")
        logit = engine.logits(reading.windows)[0, classifier.manifest.labels.index(label)]
        questions = explainer.questions(reading, label)
        answers = explainer.attribute(questions)
        known = classifier.artifact.vocabulary.encode(text).known
        places = asyncio.run(Turns().run(find_places(text, known, SCRIPTS)))
        explanation = explainer.explanation(places, label, "head", answers)
        assert explanation.label == label
        assert explanation.logit == pytest.approx(logit, abs=1e-4)
        assert explanation.sum == sum(token["contribution"] for token in explanation.tokens)
        expected = explanation.logit - explanation.baseline_logit
        assert explanation.sum == pytest.approx(expected, abs=1e-4)
        assert explanation.completeness_error < 1e-3


@pytest.mark.parametrize(
    ("truncation", "read"),
    [("head", {0, 1, 2, 3, 4}), ("tail", {7, 8, 9, 10, 11}), ("head_tail", {0, 1, 2, 10, 11})],
)
async def test_unread_tokens_contribute_nothing_and_are_marked(short, truncation, read):
    (explanation,) = await explain(make(short), TEXT, truncation=truncation)
    assert {i for i, token in enumerate(explanation.tokens) if not token["truncated"]} == read
    assert all(token["contribution"] == 0 for token in explanation.tokens if token["truncated"])
    assert explanation.completeness_error < 1e-3


async def test_explanations_of_windows_are_combined_like_scores(short):
    scorer = make(short)
    (explanation,) = await explain(scorer, TEXT, truncation="window")
    assert not any(token["truncated"] for token in explanation.tokens)
    assert explanation.completeness_error < 1e-3
    reading = scorer.classifier.encode_windows(TEXT, "window")
    index = scorer.manifest.labels.index(explanation.label)
    logits = scorer.engine.logits(reading.windows)[:, index]
    assert explanation.logit == pytest.approx(np.average(logits, weights=reading.weights), abs=1e-4)


async def test_a_text_over_the_limit_is_refused_on_request(short):
    with pytest.raises(TextTooLong, match="12 tokens, the model reads 5"):
        await explain(make(short), TEXT, truncation="error")


async def test_an_explanation_counts_in_the_queue_by_its_cost(tiny_artifact):
    scorer = make(tiny_artifact, tokens=200)
    reading = scorer.classifier.encode_windows("good", "head")
    assert Explainer(scorer.classifier, scorer.engine).questions(reading, "positive")[0].cost > 1
    many = ["good " * 50] * 3
    first = asyncio.ensure_future(explain(scorer, *many))
    for _ in range(3):
        await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await explain(scorer, "good bad")
    assert len(await first) == 3


async def test_predictions_and_explanations_share_only_the_queue(tiny_artifact):
    """They never share a batch."""
    scorer = make(tiny_artifact)
    answers = await asyncio.gather(
        *(
            explain(scorer, TEXT) if turn % 2 else scorer.score(ScoreRequest([TEXT]))
            for turn in range(20)
        )
    )
    # batches of another size may sum in another order
    for scored in answers[::2]:
        for found, first in zip(scored.predictions, answers[0].predictions, strict=True):
            assert found.probabilities == pytest.approx(first.probabilities, abs=1e-6)
    for (explained,) in answers[1::2]:
        (first,) = answers[1]
        assert explained.label == first.label
        assert explained.logit == pytest.approx(first.logit, abs=1e-5)
        contributions = [token["contribution"] for token in explained.tokens]
        expected = [token["contribution"] for token in first.tokens]
        assert contributions == pytest.approx(expected, abs=1e-5)


async def test_the_most_influential_units_come_first(tiny_artifact):
    scorer = make(tiny_artifact)
    found = await scorer.activations(ScoreRequest([TEXT]), max_units=5)
    assert [token for token, _ in found.tokens] == tokenize(TEXT)
    assert [unknown for _, unknown in found.tokens].count(True) == 3
    telling = [unit.telling for unit in found.units]
    assert len(telling) == 5
    assert telling == sorted(telling, reverse=True)
    assert {unit.direction for unit in found.units} <= {"forward", "backward"}
    assert all(len(unit.activations) == 12 for unit in found.units)
    everything = await scorer.activations(ScoreRequest([TEXT]), max_units=1000)
    assert len(everything.units) == 8  # two directions of four


async def test_a_text_without_tokens_has_empty_activations(tiny_artifact):
    found = await make(tiny_artifact).activations(ScoreRequest([""]), max_units=2)
    assert found.tokens == []
    assert [unit.activations for unit in found.units] == [[], []]


def test_the_explainer_is_created_on_first_use(tiny_artifact):
    assert make(tiny_artifact)._explanations._explainer._attributor is None
