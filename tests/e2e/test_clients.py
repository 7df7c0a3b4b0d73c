"""Each dialect with its official client, against a served bento."""

import json
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.e2e

TEXTS = ["Good good movie.", "not bad", "the movie was very bad!"]


@pytest.fixture(scope="module")
def native(server) -> list[dict[str, float]]:
    """Return the scores of the texts from the native dialect."""
    answer = httpx.post(f"{server.url}/v1/classify", json={"texts": TEXTS}).raise_for_status()
    return [
        {score["label"]: score["score"] for score in result["scores"]}
        for result in answer.json()["results"]
    ]


def test_served_scores_equal_those_of_training(bento, native):
    done = subprocess.run(
        [sys.executable, "-m", "valence.training", "predict", "sentiment:1", "--json", *TEXTS],
        env={**os.environ, "BENTOML_HOME": str(bento.parent / "home"), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    for line, scores in zip(done.stdout.splitlines(), native, strict=True):
        said = {score["label"]: score["score"] for score in json.loads(line)["scores"]}
        assert scores == pytest.approx(said, abs=1e-6)


def run(program: str, *arguments: str) -> Any:
    """Run a program in its own process, because of its warnings, and return the JSON it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


HUB = """
import json, sys
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
url, *texts = sys.argv[1:]
client = InferenceClient(url, token="none")
def pairs(answer):
    return [[one.label, one.score] for one in answer]
def refused(**options):
    try:
        client.text_classification(texts[0], **options)
    except HfHubHTTPError as error:
        return [error.response.status_code, str(error)]
topic = InferenceClient(base_url=url + "/models/topic", token="none")
print(json.dumps({
    "all": [pairs(client.text_classification(text)) for text in texts],
    "top": pairs(client.text_classification(texts[0], top_k=1, function_to_apply="softmax")),
    "topic": pairs(topic.text_classification(texts[0])),
    "none": refused(function_to_apply="none"),
    "sigmoid": refused(function_to_apply="sigmoid"),
}))
"""


def test_the_huggingface_hub_client_gets_the_native_scores(server, native):
    said = run(HUB, server.url, *TEXTS)
    for answer, scores in zip(said["all"], native, strict=True):
        assert dict(answer) == pytest.approx(scores, abs=1e-6)
        assert answer == sorted(answer, key=lambda pair: -pair[1])
    assert said["top"] == said["all"][0][:1]
    assert {label for label, _ in said["topic"]} == {"business", "sport"}
    for function in ("none", "sigmoid"):
        status, message = said[function]
        assert status == 422
        assert "calibrated for softmax" in message


TRITON = """
import json, sys
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException
url, *texts = sys.argv[1:]
client = http.InferenceServerClient(url.removeprefix("http://"))
def ask(model="sentiment", *, shape=None, texts=texts, binary=True, outputs=None, **options):
    array = np.array(texts, dtype=np.object_).reshape(shape or [len(texts)])
    given = http.InferInput("text", list(array.shape), "BYTES")
    given.set_data_from_numpy(array, binary_data=binary)
    answer = client.infer(model, [given], outputs=outputs, **options)
    said = {"response": answer.get_response()}
    for name in ("label", "probabilities"):
        values = answer.as_numpy(name)
        if values is not None:
            said[name] = [v.decode() if isinstance(v, bytes) else v for v in values.tolist()]
            said[name + " type"] = str(values.dtype)
    return said
def refused(**options):
    try:
        ask(**options)
    except InferenceServerException as error:
        return [error.status(), error.message()]
def failed(call, *arguments):
    try:
        call(*arguments)
    except InferenceServerException as error:
        return [error.status(), error.message()]
def counted(model):
    (said,) = client.get_inference_statistics(model)["model_stats"]
    return said["inference_stats"]["success"]["count"], said["inference_count"]
before = counted("sentiment")
ask()
after = counted("sentiment")
wanted = http.InferRequestedOutput
print(json.dumps({
    "live": client.is_server_live(), "ready": client.is_server_ready(),
    "model ready": [client.is_model_ready("sentiment"), client.is_model_ready("sentiment", "1"),
                    client.is_model_ready("other"), client.is_model_ready("sentiment", "2")],
    "server": client.get_server_metadata(),
    "model": client.get_model_metadata("sentiment", "1"),
    "config": client.get_model_config("sentiment", "1"),
    "counted": [two - one for one, two in zip(before, after)],
    "all counted": len(client.get_inference_statistics()["model_stats"]),
    "for operators": [failed(client.get_model_repository_index),
                      failed(client.load_model, "sentiment"),
                      failed(client.unload_model, "sentiment")],
    "not there": [failed(client.get_trace_settings, "sentiment"), failed(client.get_log_settings),
                  failed(client.get_cuda_shared_memory_status),
                  failed(client.get_model_config, "other")],
    "parameter": refused(parameters={"temperature": 0.5}),
    "sequence": refused(sequence_id=7, sequence_start=True),
    "harmless": ask(priority=1, timeout=1_000_000),
    "binary": ask(request_id="42"),
    "json": ask(binary=False, outputs=[wanted("label", binary_data=False),
                                       wanted("probabilities", binary_data=False)]),
    "mixed": ask(shape=[3, 1], model_version="1", outputs=[wanted("probabilities"),
                                                          wanted("label", binary_data=False)]),
    "one output": ask(outputs=[wanted("label")]),
    "long": ask(texts=["good " * 60 + "bad"], parameters={"truncation": "tail"}),
    "topic": ask("topic"),
    "error": refused(texts=["good " * 60], parameters={"truncation": "error"}),
    "unknown": refused(model="other"),
    "classification": refused(outputs=[wanted("probabilities", class_count=1)]),
    "empty": refused(texts=[]),
    "not utf-8": refused(texts=[b"\\xff"]),
    "compressed": refused(request_compression_algorithm="gzip"),
}))
"""


def test_the_triton_client_gets_the_native_scores(server, native):
    said = run(TRITON, server.url, *TEXTS)
    assert said["live"] is said["ready"] is True
    assert said["model ready"] == [True, True, False, False]
    assert said["server"]["name"] == "valence"
    labels = said["model"]["labels"]
    assert said["model"]["versions"] == ["1"]
    assert said["config"]["output"][1]["dims"] == [-1, len(labels)]
    assert said["counted"] == [1, len(TEXTS)]
    assert said["all counted"] == 2
    for status, message in said["for operators"]:
        assert status == "403"
        assert "--scope admin" in message
    for status, message in said["not there"]:
        assert status == "404"
        assert "openapi.json" in message or "the model 'other'" in message
    expected = [[scores[label] for label in labels] for scores in native]
    for way in ("harmless", "binary", "json", "mixed"):
        answer = said[way]
        assert answer["probabilities type"] == "float32"
        for row, scores in zip(answer["probabilities"], expected, strict=True):
            assert row == pytest.approx(scores, abs=1e-6)
        assert answer["label"] == [max(scores, key=scores.get) for scores in native]
    assert said["binary"]["response"]["id"] == "42"
    assert "binary_data_size" in json.dumps(said["binary"]["response"])
    assert "binary_data_size" not in json.dumps(said["json"]["response"])
    assert "probabilities" not in said["one output"]
    assert len(said["topic"]["probabilities"][0]) == 2
    assert len(said["long"]["label"]) == 1
    for what, status, part in (
        ("error", "422", "the model reads 50"),
        ("unknown", "404", "the model 'other' is not served"),
        ("classification", "422", "label and probabilities"),
        ("empty", "422", "at least one text"),
        ("parameter", "422", "parameters.temperature: not a parameter"),
        ("sequence", "422", "keep nothing between requests"),
        ("not utf-8", "422", "not UTF-8"),
        ("compressed", "415", "compressed"),
    ):
        assert said[what][0] == status
        assert part in said[what][1]


def test_vllm_clients_need_only_http(server, native):
    # vLLM's documentation calls this endpoint with requests; vLLM has no client package for it
    asked = {"model": "sentiment", "input": TEXTS, "request_id": "a-1"}
    answer = httpx.post(f"{server.url}/classify", json=asked).raise_for_status().json()
    assert answer["id"] == "classify-a-1"
    labels = ["negative", "neutral", "positive"]
    for item, scores in zip(answer["data"], native, strict=True):
        assert item["probs"] == pytest.approx([scores[label] for label in labels], abs=1e-6)
        assert item["label"] == labels[item["probs"].index(max(item["probs"]))]


def test_sagemaker_can_call_its_two_paths(server, native):
    # the client is the SageMaker platform itself, which cannot run here
    assert httpx.get(f"{server.url}/ping").status_code == 200
    lines = "".join(json.dumps({"inputs": text}) + "\n" for text in TEXTS)
    for content, media_type in (
        (json.dumps({"inputs": [[text] for text in TEXTS]}), "application/json"),
        (lines, "application/jsonlines"),
        ("".join(f'"{text}"\n' for text in TEXTS), "text/csv"),
        ("\ufeffinputs\n" + "\n".join(f'"{text}"\n' for text in TEXTS), "text/csv"),
    ):
        answer = httpx.post(
            f"{server.url}/invocations", content=content, headers={"content-type": media_type}
        ).raise_for_status()
        rows = (
            answer.json()
            if media_type == "application/json"
            else [json.loads(line) for line in answer.text.splitlines()]
        )
        for row, scores in zip(rows, native, strict=True):
            found = {item["label"]: item["score"] for item in row}
            assert found == pytest.approx(scores, abs=1e-6)


BENTOML = """
import json, sys, bentoml
url, *texts = sys.argv[1:]
with bentoml.SyncHTTPClient(url) as client:
    print(json.dumps([client.classify(texts=texts), *(client.classify(text=t) for t in texts)]))
"""


def test_the_bentoml_client_gets_the_native_scores(server, native):
    together, *alone = run(BENTOML, server.url, *TEXTS)
    results = [result for answer in alone for result in answer["results"]]
    for found in (together["results"], results):
        for result, scores in zip(found, native, strict=True):
            said = {score["label"]: score["score"] for score in result["scores"]}
            assert said == pytest.approx(scores, abs=1e-6)
