import base64
import json
import struct

import numpy as np
import pytest
from valence.service.keys import key_file

PATH = "/v2/models/sentiment/infer"
HEADER = "inference-header-content-length"


def tensor(*texts, **changes):
    given = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}
    return {name: value for name, value in (given | changes).items() if value is not None}


async def infer(served, *inputs, path=PATH, **fields):
    return await served.client.post(path, json={"inputs": list(inputs), **fields})


def binary(*texts):
    return b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in texts)


async def send_binary(served, content, *, size=None, header=None, shape=(1,), **fields):
    given = tensor(
        shape=list(shape),
        data=None,
        parameters={"binary_data_size": len(content) if size is None else size},
    )
    head = json.dumps({"inputs": [given], **fields}).encode()
    headers = {} if header is False else {HEADER: str(header or len(head))}
    return await served.client.post(PATH, content=head + content, headers=headers)


async def test_outputs_are_labels_and_rows_of_probabilities(served):
    answer = (await infer(served, tensor("movie", "good bad bad"), id="42")).json()
    native = (await served.classify(texts=["movie", "good bad bad"])).json()["results"]
    label, probabilities = answer["outputs"]
    assert label["data"] == [result["label"] for result in native]
    assert label["shape"] == [2]
    assert probabilities["shape"] == [2, 3]
    rows = np.reshape(probabilities["data"], (2, 3)).tolist()
    for row, result in zip(rows, native, strict=True):
        scores = {score["label"]: score["score"] for score in result["scores"]}
        assert row == [scores[name] for name in ("negative", "neutral", "positive")]
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("42", "sentiment", "1")


async def test_an_answer_has_an_id_only_if_the_request_has_one(served):
    assert "id" not in (await infer(served, tensor("good"))).json()


@pytest.mark.parametrize(
    "names", [["label"], ["probabilities"], ["probabilities", "label"]], ids=str
)
async def test_the_requested_outputs_come_in_their_order(served, names):
    answer = (await infer(served, tensor("good"), outputs=[{"name": n} for n in names])).json()
    assert [output["name"] for output in answer["outputs"]] == names


async def test_data_may_be_a_column(served):
    flat = (await infer(served, tensor("good", "bad"))).content
    column = tensor("good", "bad", shape=[2, 1])
    assert (await infer(served, column)).content == flat
    assert (await infer(served, column | {"data": [["good"], ["bad"]]})).content == flat


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (tensor("good", name="args"), "named text"),
        (tensor("good", datatype="FP32"), "BYTES"),
        (tensor("good", shape=[2]), "there are 1 texts"),
        (tensor("good", shape=[1, 2]), "one text per row"),
        (tensor("good", shape=[1, 1, 1]), "shape"),
        (tensor("good", shape=[]), "one text per row"),
        (tensor("good", shape=[-1]), "shape"),
        (tensor(1), "element 0 is not a string"),
        (tensor("good", data=None), "data: is missing"),
        (tensor("good", parameters={"binary_data_size": 4}), "not both"),
        (tensor("good", data=None, parameters={"binary_data_size": 4}), "0 bytes follow"),
        (
            tensor("good", parameters={"shared_memory_region": "x"}),
            "shared memory is not supported",
        ),
        (tensor("good", parameters={"x": [1]}), "parameters"),
        (tensor("good", parameters={"lowercase": True}), "inputs.0.parameters.lowercase: not a"),
        (tensor("good", parameters={"content_type": "hf"}), "must be str or base64"),
        (tensor("good", parameters={"content_type": "base64"}), "element 0 is not base64"),
        (tensor("/w==", parameters={"content_type": "base64"}), "element 0 is not base64"),
        (tensor("ü", parameters={"content_type": "base64"}), "element 0 is not base64"),
        (tensor("good", extra=1), "extra"),
        (tensor(), "at least one text"),
    ],
)
async def test_a_wrong_input_is_422_and_named(served, given, said):
    response = await infer(served, given)
    assert response.status_code == 422
    assert said in response.json()["error"]


async def test_exactly_one_input_is_required(served):
    for inputs in ([], [tensor("good"), tensor("good")]):
        assert (await infer(served, *inputs)).status_code == 422


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ([{"name": "scores"}], "label or probabilities"),
        ([{"name": "label"}, {"name": "label"}], "twice"),
        ([{"name": "label", "parameters": {"classification": 1}}], "not supported; ask for"),
        ([{"name": "label", "parameters": {"binary_data": 1}}], "true or false"),
        ([{"name": "label", "parameters": {"content_type": "base64"}}], "must be str here"),
        ([{"name": "label", "parameters": {"x": 1}}], "outputs.0.parameters.x: not a parameter"),
        (
            [{"name": "label", "parameters": {"shared_memory_region": "x"}}],
            "shared memory is not supported",
        ),
    ],
)
async def test_a_wrong_output_is_422_and_named(served, outputs, said):
    response = await infer(served, tensor("good"), outputs=outputs)
    assert response.status_code == 422
    assert said in response.json()["error"]


async def test_truncation_can_be_set_as_a_parameter(served):
    long = "good bad " + "the " * 48 + "movie"
    answers = {}
    for truncation in ("head", "tail"):
        response = await infer(served, tensor(long), parameters={"truncation": truncation})
        native = await served.classify(text=long, truncation=truncation)
        answers[truncation] = response.json()["outputs"][1]["data"]
        best = native.json()["results"][0]["scores"][0]["score"]
        assert max(answers[truncation]) == best
    assert answers["head"] != answers["tail"]
    for truncation in ("error", "none", True):
        response = await infer(served, tensor(long), parameters={"truncation": truncation})
        assert response.status_code == 422


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"temperature": 0.5}, "parameters.temperature"),
        ({"x" * 100: 0.5}, f"parameters.{'x' * 64}"),
        ({"sequence_id": 7}, "parameters.sequence_id"),
        ({"content_type": "base64"}, "parameters.content_type"),
    ],
    ids=str,
)
async def test_a_parameter_without_effect_is_refused(served, parameters, field):
    response = await infer(served, tensor("good"), parameters=parameters)
    assert response.status_code == 422
    assert response.json()["error"].startswith(f"{field}: ")


async def test_a_parameter_that_changes_nothing_is_taken(served):
    plain = (await infer(served, tensor("good"))).content
    parameters = {"priority": 1, "timeout": 10_000, "content_type": "str"}
    assert (await infer(served, tensor("good"), parameters=parameters)).content == plain
    given = tensor("good", parameters={"content_type": "str"})
    outputs = [
        {"name": "label", "parameters": {"content_type": "str"}},
        {"name": "probabilities", "parameters": {"content_type": "np"}},
    ]
    assert (await infer(served, given, outputs=outputs)).content == plain


async def test_texts_in_base64_are_decoded(served):
    texts = ["good", "", "Ünïcödé movie"]
    encoded = [base64.b64encode(text.encode()).decode() for text in texts]
    expected = (await infer(served, tensor(*texts))).content
    given = {"content_type": "base64"}
    assert (await infer(served, tensor(*encoded, parameters=given))).content == expected
    content = binary(*encoded)
    head = tensor(*encoded, data=None, parameters={**given, "binary_data_size": len(content)})
    body = json.dumps({"inputs": [head]}).encode()
    answer = await served.client.post(
        PATH, content=body + content, headers={HEADER: str(len(body))}
    )
    assert answer.content == expected


async def test_statistics_count_what_was_answered(served):
    async def statistics(path):
        (model,) = (await served.client.get(path)).json()["model_stats"]
        return model

    path = "/v2/models/sentiment/versions/1/stats"
    assert (await statistics(path))["inference_stats"]["success"] == {"count": 0, "ns": 0}
    await infer(served, tensor("good", "bad", "movie"))
    await served.classify(text="good")
    await infer(served, tensor("good", datatype="FP32"))
    model = await statistics(path)
    assert (model["name"], model["version"]) == ("sentiment", "1")
    assert (model["inference_count"], model["execution_count"]) == (4, 2)
    stages = model["inference_stats"]
    assert [stage["count"] for stage in stages.values()] == [2] * 4
    parts = sum(stages[name]["ns"] for name in ("queue", "compute_input", "compute_infer"))
    assert stages["success"]["ns"] == pytest.approx(parts, abs=2)
    assert stages["compute_infer"]["ns"] > 0
    for other in ("/v2/models/sentiment/stats", "/v2/models/stats"):
        assert await statistics(other) == model


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/", 404),
        ("GET", "/v2/nothing", 404),
        ("POST", "/v2/repository/index", 403),
        ("POST", "/v2/repository/nothing", 404),
        ("GET", "/v2/models/sentiment/trace/setting", 404),
        ("GET", "/v2/models/other/stats", 404),
        ("GET", "/v2/models/sentiment/infer", 405),
        ("DELETE", "/v2/models/sentiment", 405),
    ],
)
async def test_every_error_below_v2_has_an_error(served, method, path, status):
    response = await served.client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}


async def test_binary_texts_are_read_like_json_texts(served):
    texts = ["good", "", "Ünïcödé movie"]
    expected = (await infer(served, tensor(*texts))).content
    assert (await send_binary(served, binary(*texts), shape=(3,))).content == expected
    assert (await send_binary(served, binary(*texts), shape=(3, 1))).content == expected


async def test_a_header_may_be_given_without_binary_data(served):
    body = json.dumps({"inputs": [tensor("good")]})
    answer = await served.client.post(PATH, content=body, headers={HEADER: str(len(body))})
    assert answer.content == (await infer(served, tensor("good"))).content


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"size": 7}, 422),
        ({"size": 9}, 422),
        ({"size": True}, 422),
        ({"shape": (2,)}, 422),
        ({"header": 10**9}, 400),
        ({"header": 5}, 400),
        ({"header": False}, 400),
    ],
)
async def test_binary_data_of_inconsistent_sizes_is_refused(served, changes, status):
    content = binary("good")
    assert (await send_binary(served, content)).status_code == 200
    response = await send_binary(served, content, **changes)
    assert response.status_code == status
    assert len(response.json()["error"]) > 10


async def test_bytes_after_a_json_input_are_refused(served):
    body = json.dumps({"inputs": [tensor("good")]}).encode()
    answer = await served.client.post(PATH, content=body + b"x", headers={HEADER: str(len(body))})
    assert answer.status_code == 422
    assert "1 bytes follow the JSON" in answer.json()["error"]


async def test_outputs_are_binary_on_request(served):
    answer = await infer(
        served,
        tensor("good", "bad"),
        parameters={"binary_data_output": True},
        outputs=[
            {"name": "probabilities"},
            {"name": "label", "parameters": {"binary_data": False}},
        ],
    )
    size = int(answer.headers[HEADER])
    head, content = json.loads(answer.content[:size]), answer.content[size:]
    plain = (await infer(served, tensor("good", "bad"))).json()
    probabilities, label = head["outputs"]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert label == plain["outputs"][0]
    assert "data" not in probabilities
    assert probabilities["parameters"] == {"binary_data_size": len(content)}
    expected = plain["outputs"][1]["data"]
    assert np.frombuffer(content, "<f4").tolist() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/other",
        "/v2/models/other/ready",
        "/v2/models/sentiment/versions/2",
        "/v2/models/sentiment/versions/2/ready",
    ],
)
async def test_an_unknown_model_or_version_is_404_with_an_error(served, path):
    response = await served.client.get(path)
    assert response.status_code == 404
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize("path", ["other", "sentiment:2", "sentiment/versions/2"])
async def test_a_probe_without_a_key_learns_no_names(serve, tmp_path, path):
    keys = tmp_path / "keys"
    keys.write_text(f"alice: sha256:{key_file.fingerprint(b'of-alice').hex()}\n")
    served = serve(api_keys_file=str(keys))
    answer = await served.client.get(f"/v2/models/{path}/ready")
    assert answer.status_code == 404
    assert "sentiment:1" not in answer.text
    named = await served.client.get(f"/v2/models/{path}", headers={"X-API-Key": "of-alice"})
    assert "the served models are sentiment:1" in named.json()["error"]


async def test_server_and_models_describe_themselves(served):
    get = served.client.get
    extensions = (await get("/v2")).json()["extensions"]
    assert extensions == [
        "binary_tensor_data", "model_configuration", "model_repository", "statistics",
    ]  # fmt: skip
    model = (await get("/v2/models/sentiment")).json()
    assert model == (await get("/v2/models/sentiment/versions/1")).json()
    assert model["versions"] == ["1"]
    assert model["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert model["outputs"][1]["shape"] == [-1, 3]
    assert model["labels"] == ["negative", "neutral", "positive"]
    for path in ("/v2/models/sentiment/ready", "/v2/models/sentiment/versions/1/ready"):
        assert (await get(path)).json() == {"name": "sentiment", "ready": True}


async def test_the_status_code_reports_health(serve):
    served = serve(opened=False)
    assert (await served.client.get("/v2/health/live")).json() == {"live": True}
    for path in ("/v2/health/ready", "/v2/models/sentiment/ready", "/v2/models/sentiment"):
        response = await served.client.get(path)
        assert response.status_code == 503
        assert set(response.json()) == {"error"}
    assert (await serve().client.get("/v2/health/ready")).json() == {"ready": True}
