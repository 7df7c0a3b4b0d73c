"""Triton's client for gRPC, as its users run it."""

import asyncio
import json
import sys

PROGRAM = """
import json, queue, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import tritonclient.grpc as grpc
from tritonclient.utils import InferenceServerException
client = grpc.InferenceServerClient(sys.argv[1])
texts = ["Good good movie.", "not bad"]
def given():
    tensor = grpc.InferInput("text", [2], "BYTES")
    tensor.set_data_from_numpy(np.array(texts, dtype=np.object_))
    return [tensor]
def failed(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except InferenceServerException as error:
        return [error.status(), error.message()]
answer = client.infer("sentiment", given(), request_id="7", client_timeout=20)
answers = queue.Queue()
client.start_stream(lambda result, error: answers.put((result, error)))
client.async_stream_infer("sentiment", given(), request_id="8")
client.async_stream_infer("other", given(), request_id="9")
streamed, _ = answers.get(timeout=20)
_, refused = answers.get(timeout=20)
client.stop_stream()
print(json.dumps({
    "ready": [client.is_server_live(), client.is_server_ready(),
              client.is_model_ready("sentiment", "1"), client.is_model_ready("other")],
    "server": client.get_server_metadata(as_json=True),
    "model": client.get_model_metadata("sentiment", as_json=True),
    "label": [label.decode() for label in answer.as_numpy("label")],
    "probabilities": answer.as_numpy("probabilities").tolist(),
    "id": answer.get_response().id,
    "streamed": [streamed.get_response().id, streamed.as_numpy("probabilities").tolist()],
    "refused": refused.message(),
    "counted": client.get_inference_statistics("sentiment", as_json=True),
    "for operators": [failed(client.get_model_repository_index),
                      failed(client.load_model, "sentiment"),
                      failed(client.unload_model, "sentiment")],
    "unknown": failed(client.infer, "other", given()),
    "classification": failed(client.infer, "sentiment", given(), outputs=[
        grpc.InferRequestedOutput("probabilities", class_count=1)]),
}))
"""


async def test_the_client_of_triton_gets_the_scores_of_http(calling):
    calls = await calling()
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, f"127.0.0.1:{calls.server.port}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await program.communicate()
    assert program.returncode == 0, errors.decode()
    said = json.loads(output)
    assert said["ready"] == [True, True, True, False]
    assert said["server"]["name"] == "valence"
    assert said["model"]["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": ["-1"]}]
    texts = ["Good good movie.", "not bad"]
    native = (await calls.served.classify(texts=texts)).json()["results"]
    assert said["label"] == [one["label"] for one in native]
    labels = calls.served.models.get().manifest.labels
    for row, one in zip(said["probabilities"], native, strict=True):
        scores = {score["label"]: score["score"] for score in one["scores"]}
        assert all(abs(row[i] - scores[label]) < 1e-6 for i, label in enumerate(labels))
    assert said["id"] == "7"
    assert said["streamed"] == ["8", said["probabilities"]]
    assert "'other'" in said["refused"]
    assert said["counted"]["model_stats"][0]["inference_count"] == "4"
    assert [status for status, _ in said["for operators"]] == ["StatusCode.PERMISSION_DENIED"] * 3
    assert said["unknown"][0] == "StatusCode.NOT_FOUND"
    assert said["classification"][0] == "StatusCode.INVALID_ARGUMENT"
    assert "ask for the outputs label and probabilities" in said["classification"][1]
