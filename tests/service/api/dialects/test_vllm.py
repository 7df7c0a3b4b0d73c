import time

import pytest

# one token more than the model reads
TOO_LONG = "good bad " + "the " * 48 + "movie"


async def classify(served, **body):
    return await served.client.post("/classify", json=body)


async def test_probabilities_are_ordered_by_class_number(served):
    before = int(time.time())
    response = await classify(served, input=["movie", "good bad bad"])
    answer = response.json()
    native = (await served.classify(texts=["movie", "good bad bad"])).json()
    labels = served.models.get().manifest.labels
    for item, result in zip(answer["data"], native["results"], strict=True):
        scores = {score["label"]: score["score"] for score in result["scores"]}
        assert item["probs"] == [scores[label] for label in labels]
        assert item["label"] == result["label"]
        assert item["num_classes"] == 3
    assert [item["index"] for item in answer["data"]] == [0, 1]
    assert answer["id"] == f"classify-{response.headers['x-prediction-id']}"
    assert before <= answer["created"] <= time.time()
    assert answer["object"] == "list"
    assert answer["model"] == "sentiment"


async def test_usage_counts_the_read_tokens(served):
    usage = (await classify(served, input=TOO_LONG, truncate_prompt_tokens=-1)).json()["usage"]
    assert usage == {
        "prompt_tokens": 50,
        "total_tokens": 50,
        "completion_tokens": 0,
        "prompt_tokens_details": None,
    }


async def test_the_answer_id_contains_the_request_id(served):
    assert (await classify(served, input="good", request_id="a-1")).json()["id"] == "classify-a-1"


@pytest.mark.parametrize("given", [[1, 2], [[1, 2], [3]], 1])
async def test_token_ids_are_refused_with_the_reason(served, given):
    response = await classify(served, input=given)
    assert response.status_code == 422
    assert "send the text, these models" in response.json()["error"]["message"]
    assert response.json()["error"]["param"] == "input"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"use_activation": False}, "use_activation"),
        ({"softmax": False}, "softmax"),
        ({"activation": False}, "activation"),
        ({"encoding_format": "base64"}, "encoding_format"),
        ({"padding": "max_length"}, "padding"),
        ({"mm_processor_kwargs": {"a": 1}}, "mm_processor_kwargs"),
        ({"cache_salt": "x"}, "cache_salt"),
        ({"dimensions": 2}, "dimensions"),
        ({"priority": 1}, "priority"),
        ({"truncate_prompt_tokens": 7}, "truncate_prompt_tokens"),
        ({"truncate_prompt_tokens": 51}, "truncate_prompt_tokens"),
        ({"truncate_prompt_tokens": -2}, "truncate_prompt_tokens"),
        ({"truncation_side": "middle"}, "truncation_side"),
        ({"request_id": "a b"}, "request_id"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
    ],
)
async def test_unsupported_and_unknown_fields_are_refused(served, body, field):
    response = await classify(served, input="good", **body)
    assert response.status_code == 422
    error = response.json()["error"]
    assert error["param"] == field
    assert (error["type"], error["code"]) == ("BadRequestError", 422)


@pytest.mark.parametrize("most", [-1, 50])
@pytest.mark.parametrize(
    ("side", "as_native"), [(None, "head"), ("right", "head"), ("left", "tail")]
)
async def test_a_long_text_is_cut_only_on_request(served, most, side, as_native):
    assert (await classify(served, input="good " * 50)).status_code == 200
    assert (await classify(served, input=TOO_LONG)).status_code == 422
    answer = await classify(
        served, input=TOO_LONG, truncate_prompt_tokens=most, truncation_side=side
    )
    (result,) = (await served.classify(text=TOO_LONG, truncation=as_native)).json()["results"]
    scores = {score["label"]: score["score"] for score in result["scores"]}
    assert answer.json()["data"][0]["probs"] == list(dict(sorted(scores.items())).values())


@pytest.mark.parametrize(
    "harmless",
    [
        {"add_special_tokens": True},
        {"add_special_tokens": False},
        {"softmax": True},
        {"activation": True},
        {"encoding_format": "float"},
        {"padding": "do_not_pad"},
        {"mm_processor_kwargs": {}},
        {"user": "me", "priority": 0},
    ],
    ids=str,
)
async def test_a_field_that_changes_nothing_is_taken(served, harmless):
    plain = (await classify(served, input="good bad bad")).json()
    answer = await classify(served, input="good bad bad", **harmless)
    assert answer.status_code == 200
    assert answer.json()["data"] == plain["data"]


async def test_the_activation_of_the_model_may_be_requested(served):
    assert (await classify(served, input="good", use_activation=True)).status_code == 200
    assert (await classify(served, input="good", model="sentiment:1")).status_code == 200
