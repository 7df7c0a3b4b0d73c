import math

import pytest
from valence.service.classifier import artifact

PATH = "/api/v1/text/contents"
# the logits of the counting engine are the counts of "good" and "bad" and "movie"
TEXT = "good bad bad"


async def detect(served, contents, *, headers=None, query="", **parameters):
    body = {"contents": contents, "detector_params": parameters}
    return await served.client.post(PATH + query, json=body, headers=headers)


async def labels_of(served, text=TEXT, **parameters):
    response = await detect(served, [text], **parameters)
    assert response.status_code == 200, response.text
    (found,) = response.json()
    return [one["detection_type"] for one in found]


async def scores_of(served, text=TEXT):
    (result,) = (await served.classify(texts=[text])).json()["results"]
    return {one["label"]: one["score"] for one in result["scores"]}


@pytest.fixture
def tags(serve, save_tiny, tmp_path, counting_engine):
    """Return the application with a multi-label model, whose thresholds are 0.6 and 0.7."""
    counting_engine.labels = 2
    folder = save_tiny(tmp_path / "tags", name="tags", thresholds={"business": 0.6, "sport": 0.7})
    return serve(artifact=artifact.load(folder))


async def test_a_detection_spans_the_code_points_of_its_text(served):
    text = "bad bad bad \U0001f600"
    ((found,),) = (await detect(served, [text])).json()
    assert found == {
        "start": 0,
        "end": 13,
        "text": text,
        "detection": "single_label_classification",
        "detection_type": (await served.classify(text=text)).json()["results"][0]["label"],
        "score": max((await scores_of(served, text)).values()),
    }


async def test_the_threshold_is_a_half_where_none_is_given(served):
    scores = await scores_of(served)
    assert await labels_of(served) == [label for label, score in scores.items() if score >= 0.5]


async def test_a_label_is_detected_from_its_threshold_on(served):
    scores = await scores_of(served)
    for label, score in scores.items():
        assert label in await labels_of(served, threshold=score)
        assert label not in await labels_of(served, threshold=math.nextafter(score, 2))


async def test_a_threshold_of_one_label_goes_before_the_common_one(served):
    scores = await scores_of(served)
    first = min(scores, key=scores.get)
    assert await labels_of(served, threshold=0.99, label_thresholds={first: 0}) == [first]
    assert first not in await labels_of(served, threshold=0, label_thresholds={first: 1})


@pytest.mark.parametrize("safe", ["neutral", ["neutral"], 1, [1]], ids=str)
async def test_a_safe_label_is_no_detection(served, safe):
    assert set(await labels_of(served, threshold=0, safe_labels=safe)) == {"negative", "positive"}


async def test_the_settings_name_safe_labels_too(serve):
    served = serve(safe_labels="neutral, benign")
    assert set(await labels_of(served, threshold=0)) == {"negative", "positive"}
    assert await labels_of(served, threshold=0, safe_labels=["negative"]) == ["positive"]


async def test_a_multi_label_model_has_its_own_thresholds(tags):
    # sport has the logit 2, business 1, both divided by 1.25
    assert await labels_of(tags) == ["sport", "business"]
    assert await labels_of(tags, "good") == ["business"]
    assert await labels_of(tags, "movie") == []
    assert await labels_of(tags, "movie", threshold=0.5) == ["business", "sport"]
    ((found, _),) = (await detect(tags, [TEXT])).json()
    assert found["detection"] == "multi_label_classification"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"threshold": 1.5}, "detector_params.threshold"),
        ({"threshold": True}, "detector_params.threshold"),
        ({"label_thresholds": {"negative": 2}}, "detector_params.label_thresholds"),
        ({"label_thresholds": {"hate": 0.5}}, "GET /v1/models/sentiment lists the labels"),
        ({"safe_labels": ["O"]}, "GET /v1/models/sentiment lists the labels"),
        ({"safe_labels": [3]}, "3, but 'sentiment' has the labels 0 to 2"),
        ({"safe_labels": [-1]}, "-1, but 'sentiment' has the labels 0 to 2"),
        ({"max_length": 49}, "always reads 50 tokens"),
        ({"temperature": 1}, "detector_params.temperature: unknown field"),
    ],
)
async def test_wrong_parameters_are_refused_with_the_remedy(served, parameters, said):
    response = await detect(served, [TEXT], **parameters)
    assert response.status_code == response.json()["code"] == 422
    assert said in response.json()["message"]


async def test_a_length_that_changes_nothing_is_taken(served):
    assert await labels_of(served, max_length=512) == await labels_of(served)


@pytest.mark.parametrize("name", ["sentiment", "sentiment:1"])
async def test_the_detector_is_named_as_the_model(served, name):
    plain = (await detect(served, [TEXT])).json()
    by_header = await detect(served, [TEXT], headers={"detector-id": name})
    # as LiteLLM writes it at its third request
    by_query = await detect(served, [TEXT], query=("?detector_id=" + name) * 3)
    assert by_header.json() == by_query.json() == plain
    for refused in (
        await detect(served, [TEXT], headers={"detector-id": "hap"}),
        await detect(served, [TEXT], query="?detector_id=hap?detector_id=hap"),
    ):
        assert refused.status_code == refused.json()["code"] == 404
        assert "is the name of a model" in refused.json()["message"]


async def test_an_answer_that_repeats_its_texts_is_bounded(serve):
    served = serve(max_answer_bytes=65_536, max_characters=50_000)
    text = "\U0001f600" * 4_000
    # at 0.5 two labels can be detections, at 0 all three
    assert (await detect(served, [text] * 2)).status_code == 200
    refused = await detect(served, [text] * 2, threshold=0)
    assert refused.status_code == 422
    assert "max_answer_bytes" in refused.json()["message"]
    assert served.app._bodies.held_bytes == 0


async def test_the_bound_is_not_below_the_size_of_the_answer(serve):
    for threshold in (0, 0.2, 1 / 3, 0.5):
        for text in ("", "good", '"\\\x01', "\U0001f600" * 50):
            served = serve()
            response = await detect(served, [text], threshold=threshold)
            size = len(response.content)
            tight = serve()
            object.__setattr__(tight.app.context.settings, "max_answer_bytes", size - 1)
            assert (await detect(tight, [text], threshold=threshold)).status_code == 422


async def test_other_kinds_of_detectors_get_the_shape_they_read(served):
    response = await served.client.post("/api/v1/text/chat", json={"messages": []})
    assert response.status_code == response.json()["code"] == 404
    assert "/openapi.json" in response.json()["message"]
