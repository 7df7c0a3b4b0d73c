import time

import pytest
from valence.service.classifier import artifact

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


async def test_a_router_gets_every_label_once_and_the_sum_1(served):
    answer = (await served.client.post("/classify", json={"inputs": "good bad bad"})).json()
    native = (await served.classify(text="good bad bad")).json()["results"][0]
    assert answer == [{"score": one["score"], "label": one["label"]} for one in native["scores"]]
    assert {one["label"] for one in answer} == set(served.models.get().manifest.labels)
    assert sum(one["score"] for one in answer) == pytest.approx(1, abs=1e-9)


async def test_a_long_text_of_a_router_is_cut_unless_it_chooses(served):
    cut = (await served.client.post("/classify", json={"inputs": TOO_LONG})).json()
    tail = await served.client.post(
        "/classify",
        json={"inputs": TOO_LONG, "truncate_prompt_tokens": -1, "truncation_side": "left"},
    )
    head = (await served.classify(text=TOO_LONG)).json()["results"][0]["scores"]
    last = (await served.classify(text=TOO_LONG, truncation="tail")).json()["results"][0]["scores"]
    assert [one["score"] for one in cut] == [one["score"] for one in head]
    assert [one["score"] for one in tail.json()] == [one["score"] for one in last]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"inputs": ["a", "b"]}, "send several texts as `input`"),
        ({"inputs": "a", "input": "a"}, "exactly one of input and inputs"),
        ({}, "exactly one of input and inputs"),
    ],
)
async def test_other_forms_of_inputs_are_refused_helpfully(served, body, said):
    response = await served.client.post("/classify", json=body)
    assert response.status_code == 422
    assert said in response.json()["error"]["message"]


async def test_a_router_is_refused_scores_that_do_not_sum_to_1(
    serve, save_tiny, tmp_path, counting_engine
):
    counting_engine.labels = 2
    folder = save_tiny(tmp_path / "tags", name="tags", thresholds={"business": 0.6, "sport": 0.7})
    served = serve(artifact=artifact.load(folder))
    response = await served.client.post("/classify", json={"inputs": "good"})
    assert response.status_code == 422
    assert "POST /predict" in response.json()["error"]["message"]
    assert (await served.client.post("/classify", json={"input": "good"})).status_code == 200
