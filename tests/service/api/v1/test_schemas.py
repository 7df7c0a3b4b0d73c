import dataclasses

import numpy as np
import pytest
from valence.service.api.v1.schemas import MAX_EXPLAINED_TEXTS, MAX_ID_CHARACTERS, ClassifyResponse
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier, read_outside
from valence.service.inference.engines.reference import ReferenceEngine

from tests.service.api.operations.test_health import metrics, sample
from tests.support.tiny_models import describe_outside

# the tiny model reads 50 tokens; the text has 20 unknown words, 11 "movie" and 20 "good"
LONG = "zzz " * 20 + "movie " * 11 + "good " * 20
CANARY = "xyzzy-canary-1f3a"


def usage(response) -> dict[str, object]:
    assert response.status_code == 200
    return response.json()["results"][0]["usage"]


@pytest.mark.parametrize(
    ("truncation", "used", "windows"),
    [("head", 50, 1), ("tail", 50, 1), ("head_tail", 50, 1), ("window", 51, 2)],
)
async def test_usage_counts_what_truncation_left_out(served, truncation, used, windows):
    response = await served.classify(text=LONG, truncation=truncation)
    assert usage(response)["tokens"] == 51
    assert usage(response)["tokens_used"] == used
    assert usage(response)["truncated"] is (used < 51)
    assert usage(response)["windows"] == windows
    assert response.json()["usage"]["truncated_texts"] == int(used < 51)


async def test_truncation_is_head_by_default(served):
    plain, head = (
        await served.classify(text=LONG),
        await served.classify(text=LONG, truncation="head"),
    )
    assert plain.json()["results"] == head.json()["results"]


async def test_head_and_tail_read_different_words(served):
    answers = {
        truncation: (await served.classify(text=LONG, truncation=truncation)).json()
        for truncation in ("head", "tail")
    }
    # 19 and 20 times "good", which the counting engine counts for the first label
    scores = [answer["results"][0]["scores"][0]["score"] for answer in answers.values()]
    assert scores[0] < scores[1]


@pytest.mark.parametrize(("tokens", "status"), [(50, 200), (51, 422)])
async def test_a_text_with_too_many_tokens_can_be_refused(served, tokens, status):
    response = await served.classify(text=f"{CANARY[:5]} " * tokens, truncation="error")
    assert response.status_code == status
    if status == 422:
        (fault,) = response.json()["errors"]
        assert fault["location"] == "text"
        assert fault["message"].startswith("the text has 51 tokens, the model reads 50")
        assert CANARY[:5] not in response.text


async def test_a_text_that_cannot_be_scored_does_not_affect_others(serve):
    served = serve(max_characters=300)
    texts = ["good", LONG, "bad bad", "a" * 301, "movie"]
    response = await served.classify(texts=texts, truncation="error", ids=list("abcde"))
    assert response.status_code == 200
    answer = response.json()
    ClassifyResponse.model_validate_json(response.content, strict=True)
    assert [result and result["id"] for result in answer["results"]] == ["a", None, "c", None, "e"]
    assert [(fault["index"], fault["id"]) for fault in answer["errors"]] == [(1, "b"), (3, "d")]
    assert "51 tokens" in answer["errors"][0]["detail"]
    assert "301 characters" in answer["errors"][1]["detail"]
    assert {fault["type"] for fault in answer["errors"]} == {"urn:valence:problem:text-too-long"}
    assert answer["usage"]["texts"] == 3
    assert answer["usage"]["tokens"] == 4
    assert served.lines()[-1]["texts"] == 3
    rest = (await served.classify(texts=texts[::2], ids=list("ace"))).json()
    assert [result for result in answer["results"] if result] == rest["results"]
    assert "errors" not in rest


async def test_without_ids_an_error_has_only_its_index(serve):
    answer = (await serve(max_characters=4).classify(texts=["goods", "good"])).json()
    assert answer["results"][0] is None
    assert set(answer["errors"][0]) == {"index", "type", "title", "detail"}
    assert "id" not in answer["results"][1]


async def test_a_request_without_a_valid_text_names_each_fault(serve):
    served = serve(max_characters=300)
    response = await served.classify(texts=["a" * 301, LONG], truncation="error")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    locations = [fault["location"] for fault in response.json()["errors"]]
    assert locations == ["texts.0", "texts.1"]
    assert served.engine.calls == []


@pytest.mark.parametrize("text", ["zzz", "good", "good bad movie"])
async def test_a_label_needs_the_requested_confidence(served, text):
    asked = {"text": text, "unreadable": "label"}
    plain = (await served.classify(**asked)).json()["results"][0]
    likeliest = plain["scores"][0]["score"]
    assert plain["labels"] == [plain["label"]]
    sure = (await served.classify(**asked, min_confidence=likeliest)).json()["results"][0]
    assert sure == plain
    unsure = (await served.classify(**asked, min_confidence=likeliest + 1e-9)).json()
    uncertain = {"label": "uncertain", "labels": [], "reason": "min_confidence"}
    assert unsure["results"][0] == plain | uncertain


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), (" \n\t", "empty"), ("zzz", "unknown_words"), ("zzz " * 60, "unknown_words")],
)
@pytest.mark.parametrize("truncation", ["head", "tail", "window"])
async def test_a_text_without_a_known_word_is_uncertain(served, text, reason, truncation):
    asked = {"text": text, "truncation": truncation}
    response = await served.classify(**asked)
    ClassifyResponse.model_validate_json(response.content, strict=True)
    found = response.json()["results"][0]
    labelled = (await served.classify(**asked, unreadable="label")).json()["results"][0]
    assert found == labelled | {"label": "uncertain", "labels": [], "reason": reason}
    assert labelled["label"] == found["scores"][0]["label"]
    again = (await served.classify(**asked)).json()["results"][0]
    assert again == found
    known = (await served.classify(text=f"{text[:50]} good", truncation=truncation)).json()
    assert "reason" not in known["results"][0]


async def test_a_sentence_without_a_known_word_is_uncertain(served):
    response = await served.classify(text="Zzz qqq? Good movie.", granularity="sentence")
    found = response.json()["results"][0]
    assert "reason" not in found
    assert [sentence.get("reason") for sentence in found["sentences"]] == ["unknown_words", None]


async def test_uncertain_answers_are_counted_separately(served):
    """The likeliest labels are counted too."""
    await served.classify(texts=["good", "good " * 40], min_confidence=0.9)
    await served.classify(text="")
    text = await metrics(served)
    assert sample(text, "valence_uncertain_texts_total", model="sentiment") == 2
    assert sample(text, "valence_predictions_total", label="negative") == 3


async def test_an_id_is_returned_unchanged_and_never_logged(served):
    given = [CANARY, "é" * MAX_ID_CHARACTERS, "\x00", " ", CANARY]
    answer = (await served.classify(texts=["good"] * 5, ids=given)).json()
    assert [result["id"] for result in answer["results"]] == given
    assert next(iter(answer["results"][0])) == "id"
    alone = (await served.classify(text="good", id=CANARY)).json()
    assert alone["results"][0] == answer["results"][0]
    assert CANARY not in (await served.classify(text="a", ids=[CANARY])).text
    served.log.flush()
    assert CANARY not in served.logged.getvalue()
    assert CANARY not in await metrics(served)


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"text": "a", "id": ""}, "id"),
        ({"text": "a", "id": "x" * (MAX_ID_CHARACTERS + 1)}, "id"),
        ({"text": "a", "id": 7}, "id"),
        ({"text": "a", "ids": ["b"]}, "ids"),
        ({"texts": ["a"], "id": "b"}, "id"),
        ({"texts": ["a"], "ids": ["b", "c"]}, "ids"),
        ({"texts": ["a", "b"], "ids": ["c"]}, "ids"),
        ({"texts": ["a"], "ids": []}, "ids"),
        ({"texts": ["a", "b"], "ids": ["c", None]}, "ids.1"),
        ({"text": "a", "truncation": "middle"}, "truncation"),
        ({"text": "a", "granularity": "word"}, "granularity"),
        ({"text": "a", "min_confidence": -0.1}, "min_confidence"),
        ({"text": "a", "min_confidence": 1.1}, "min_confidence"),
        ({"text": "a", "min_confidence": "0.5"}, "min_confidence"),
        ({"text": "a", "min_confidence": True}, "min_confidence"),
    ],
)
async def test_an_option_of_a_wrong_shape_is_422_and_named(served, body, location):
    response = await served.client.post("/v1/classify", json=body)
    assert response.status_code == 422
    assert [fault["location"] for fault in response.json()["errors"]] == [location]


async def test_each_sentence_is_scored_beside_its_text(served):
    text = "Good movie.  Bad \U0001f600 bad! zzz"
    asked = {"granularity": "sentence", "top_k": 2, "min_confidence": 0.4}
    response = await served.classify(texts=[text, ""], ids=["a", "b"], **asked)
    ClassifyResponse.model_validate_json(response.content, strict=True)
    result, empty = response.json()["results"]
    sentences = result.pop("sentences")
    assert empty["sentences"] == []
    assert (
        result
        == (await served.classify(text=text, id="a", top_k=2, min_confidence=0.4)).json()[
            "results"
        ][0]
    )
    assert [text[found["start"] : found["end"]] for found in sentences] == [
        "Good movie.",
        "Bad \U0001f600 bad!",
        "zzz",
    ]
    for found in sentences:
        alone = (
            await served.classify(
                text=text[found["start"] : found["end"]], top_k=2, min_confidence=0.4
            )
        ).json()["results"][0]
        assert found | {"usage": alone["usage"]} == alone | {
            "start": found["start"],
            "end": found["end"],
            "truncated": False,
        }
    assert sentences[2]["label"] == "uncertain"
    # everything went through the queue together: two texts and three sentences
    assert len(served.engine.calls[0]) == 5
    assert response.json()["usage"]["texts"] == 2


async def test_a_sentence_reports_whether_it_was_truncated(served):
    response = await served.classify(text="Good. " + "bad " * 51, granularity="sentence")
    short, long = response.json()["results"][0]["sentences"]
    assert (short["truncated"], long["truncated"]) == (False, True)


@pytest.mark.parametrize("truncation", ["head", "tail", "head_tail", "window"])
async def test_contributions_sum_to_the_logit_and_cover_all_tokens(served, truncation):
    asked = {"explain": True, "truncation": truncation, "min_confidence": 1.0}
    response = await served.classify(texts=["Good \U0001f600 movie!", "", LONG], **asked)
    ClassifyResponse.model_validate_json(response.content, strict=True)
    results = response.json()["results"]
    plain = await served.classify(
        texts=["Good \U0001f600 movie!", "", LONG], truncation=truncation, min_confidence=1.0
    )
    for result, unexplained in zip(results, plain.json()["results"], strict=True):
        explanation = result.pop("explanation")
        assert result == unexplained
        assert explanation["label"] == result["scores"][0]["label"]
        contributions = [token["contribution"] for token in explanation["tokens"]]
        assert explanation["sum"] == pytest.approx(sum(contributions), abs=1e-6)
        assert explanation["completeness_error"] < 0.01
        left_out = [token for token in explanation["tokens"] if token["truncated"]]
        used = result["usage"]["tokens_used"]
        assert len(explanation["tokens"]) - len(left_out) == used
        assert {token["contribution"] for token in left_out} <= {0.0}
    assert [(t["start"], t["end"], t["unknown"]) for t in explained(response, 0)] == [
        (0, 4, False),
        (5, 6, True),
        (7, 12, False),
        (12, 13, False),
    ]
    assert explained(response, 1) == []


def explained(response, index: int) -> list[dict[str, object]]:
    return response.json()["results"][index]["explanation"]["tokens"]


@pytest.mark.parametrize(
    ("count", "status"), [(MAX_EXPLAINED_TEXTS, 200), (MAX_EXPLAINED_TEXTS + 1, 422)]
)
async def test_the_number_of_explained_texts_is_limited(served, count, status):
    response = await served.classify(texts=["good"] * count, explain=True)
    assert response.status_code == status
    if status == 422:
        assert response.json()["errors"][0]["location"] == "explain"


async def test_only_accepted_texts_are_explained(served):
    answer = await served.classify(texts=[LONG, "good"], explain=True, truncation="error")
    first, second = answer.json()["results"]
    assert first is None
    assert len(second["explanation"]["tokens"]) == 1


async def test_a_text_outside_the_labels_is_uncertain(serve, telling_folder):
    loaded, texts = artifact.load(telling_folder), ["good movie", "bad", "very very not", "and a !"]
    engine = ReferenceEngine(loaded)
    logits = engine.logits([Classifier(loaded).encode_head(text).ids for text in texts])
    threshold = float(np.mean(read_outside(logits)))
    manifest = loaded.manifest.model_copy(update={"outside": describe_outside(threshold)})
    served = serve(engine=engine, artifact=dataclasses.replace(loaded, manifest=manifest))
    answer = await served.classify(texts=texts)
    ClassifyResponse.model_validate_json(answer.content, strict=True)
    labelled = (await served.classify(texts=texts, unreadable="label")).json()["results"]
    reasons = []
    for found, plain in zip(answer.json()["results"], labelled, strict=True):
        is_outside = found["outside"] >= threshold
        reasons.append(found.get("reason"))
        assert reasons[-1] == ("outside" if is_outside else None)
        uncertain = {"label": "uncertain", "labels": [], "reason": "outside"}
        assert found == plain | (uncertain if is_outside else {})
    assert set(reasons) == {"outside", None}
    text = await metrics(served)
    assert sample(text, "valence_uncertain_texts_total", model="sentiment") == reasons.count(
        "outside"
    )
    card = (await served.client.get("/v1/models/sentiment")).json()
    assert card["outside"]["threshold"] == threshold
    split = (await served.classify(text="Bad. Very not!", granularity="sentence")).json()
    assert all("outside" in sentence for sentence in split["results"][0]["sentences"])


async def test_a_model_that_does_not_tell_has_no_such_field(served):
    answer = await served.classify(text="good")
    assert b"outside" not in answer.content
