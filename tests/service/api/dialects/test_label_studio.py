"""The backend of Label Studio."""

from __future__ import annotations

import json

import pytest
from valence.service.annotation.choices import write_configuration
from valence.service.classifier import artifact

# the logits of the counting engine are the counts of "good" and "bad" and "movie"
TEXTS = ["good good good", "bad bad bad", "movie movie movie"]


def make_tasks(texts):
    return [{"id": index, "data": {"text": text}} for index, text in enumerate(texts)]


async def predict(served, tasks, path="/label-studio/predict", **fields):
    return await served.client.post(path, json={"tasks": tasks, **fields})


async def test_labels_and_scores_are_those_of_classify(served):
    answer = (await predict(served, make_tasks(TEXTS))).json()
    results = (await served.classify(texts=TEXTS)).json()["results"]
    for found, expected in zip(answer["results"], results, strict=True):
        assert found["result"][0]["value"] == {"choices": [expected["label"]]}
        assert found["score"] == max(one["score"] for one in expected["scores"])
    assert answer["model_version"] == "sentiment:1"


async def test_an_answer_is_a_prediction_with_an_id(served):
    response = await predict(served, make_tasks(TEXTS[:1]))
    assert served.app.context.issuer.read(response.headers["x-prediction-id"]).model == "sentiment"


async def test_a_multi_label_text_has_all_its_choices(serve, save_tiny, tmp_path, counting_engine):
    counting_engine.labels = 2
    folder = save_tiny(tmp_path / "tags", name="tags", thresholds={"business": 0.6, "sport": 0.7})
    loaded = artifact.load(folder)
    served = serve(artifact=loaded)
    fields = {"label_config": write_configuration(loaded.manifest)}
    answer = (await predict(served, make_tasks(["good good bad bad", "the"]), **fields)).json()
    both, none = answer["results"]
    assert both["result"][0]["value"] == {"choices": ["business", "sport"]}
    assert none["result"] == []


async def test_a_task_without_text_costs_the_others_nothing(served):
    tasks = [{"data": {"image": "a"}}, {"data": {"text": 3}}, *make_tasks(["bad"])]
    results = (await predict(served, tasks)).json()["results"]
    assert [len(one["result"]) for one in results] == [0, 0, 1]
    assert [one["score"] is None for one in results] == [True, True, False]


async def test_long_and_many_tasks_are_refused_with_their_place(serve):
    served = serve(max_texts=2, max_characters=10)
    answer = await predict(served, make_tasks(["good", "a" * 11]))
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("tasks.1.data: 11 characters")
    answer = await predict(served, make_tasks(["good"] * 3))
    assert answer.json()["error"].startswith("tasks: 3 texts")


@pytest.mark.parametrize("path", ["/label-studio/none/predict", "/label-studio/none/setup"])
async def test_a_model_that_is_not_served_is_named(served, path):
    body = {"tasks": make_tasks(["good"]), "schema": "<View/>"}
    answer = await served.client.post(path, json=body)
    assert (answer.status_code, "none" in answer.json()["error"]) == (404, True)


async def test_nothing_of_a_task_or_token_is_logged(served):
    secret = "a-secret-of-label-studio"
    await predict(served, make_tasks([secret]), label_config=f"<{secret}")
    await predict(served, make_tasks([secret]))
    await served.client.post(
        "/label-studio/setup", json={"project": "1", "access_token": secret, "schema": "<View/>"}
    )
    lines = served.lines()
    assert len(lines) == 3
    assert secret not in json.dumps(lines)
