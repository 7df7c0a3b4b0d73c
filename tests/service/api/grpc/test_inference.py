"""Texts and scores over gRPC: those of HTTP, within the same limits."""

import numpy as np
import pytest
from grpc import StatusCode
from valence.service.api.grpc.messages import MESSAGES

from tests.support.grpc_calls import infer_request

TEXTS = ["Good good movie.", "not bad", "", "the movie was very bad!"]


def read_texts(content: bytes) -> list[str]:
    texts = []
    while content:
        length = int.from_bytes(content[:4], "little")
        texts.append(content[4 : 4 + length].decode())
        content = content[4 + length :]
    return texts


@pytest.mark.parametrize("raw", [False, True])
async def test_the_scores_are_those_of_http(calling, raw):
    calls = await calling()
    native = (await calls.served.classify(texts=TEXTS)).json()["results"]
    answer, metadata = await calls.infer(TEXTS, raw=raw)
    label, probabilities = answer.outputs
    assert (label.name, label.datatype, list(label.shape)) == ("label", "BYTES", [4])
    assert (probabilities.name, probabilities.datatype) == ("probabilities", "FP32")
    assert list(probabilities.shape) == [4, 3]
    if raw:
        labels = read_texts(answer.raw_output_contents[0])
        rows = np.frombuffer(answer.raw_output_contents[1], "<f4").reshape(4, 3)
        assert not label.contents.bytes_contents
    else:
        labels = [one.decode() for one in label.contents.bytes_contents]
        rows = np.reshape(probabilities.contents.fp32_contents, (4, 3))
        assert not answer.raw_output_contents
    order = calls.served.models.get().manifest.labels
    for text, row, result in zip(labels, rows.tolist(), native, strict=True):
        scores = {score["label"]: score["score"] for score in result["scores"]}
        assert row == pytest.approx([scores[name] for name in order], abs=1e-6)
        assert text == max(scores, key=scores.get)
    assert (answer.model_name, answer.model_version) == ("sentiment", "1")
    assert metadata["x-request-id"]


async def test_outputs_ids_and_versions_are_as_asked(calling):
    calls = await calling()
    asked = infer_request(["good"], model_version="1", id="42", outputs=[{"name": "label"}])
    content, _ = await calls.call("ModelInfer", asked)
    answer = MESSAGES["ModelInferResponse"].FromString(content)
    assert answer.id == "42"
    assert [output.name for output in answer.outputs] == ["label"]


def changed(change):
    message = infer_request(["good"], raw=False)
    change(message)
    return message


def add_parameter(message):
    message.parameters["temperature"].double_param = 0.5


def empty_parameter(message):
    message.parameters["truncation"].SetInParent()


def many_parameters(message):
    for number in range(40):
        message.parameters[f"p{number}"].bool_param = True


def add_inputs(message):
    message.inputs.add(name="text")


def no_inputs(message):
    del message.inputs[:]


def two_contents(message):
    message.raw_input_contents.extend([b"", b""])


def both_contents(message):
    message.raw_input_contents.append(b"\x00\x00\x00\x00")


def cut_off(message):
    message.inputs[0].ClearField("contents")
    message.raw_input_contents.append(b"\x05\x00\x00\x00good")


def not_unicode(message):
    message.inputs[0].contents.bytes_contents[0] = b"\xff"


def other_datatype(message):
    message.inputs[0].datatype = "FP32"


def other_shape(message):
    message.inputs[0].shape[:] = [1, 2]


def long_shape(message):
    message.inputs[0].shape[:] = [1] * 100_000


def other_output(message):
    message.outputs.add(name="logits")


def three_outputs(message):
    for _ in range(3):
        message.outputs.add(name="label")


def too_many(message):
    message.inputs[0].contents.bytes_contents.extend([b"a"] * 1_024)


def sequence(message):
    message.parameters["sequence_id"].int64_param = 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (add_parameter, "parameters.temperature: not a parameter of this service"),
        (empty_parameter, "parameters.truncation"),
        (many_parameters, "40 parameters, there may be 32"),
        (add_inputs, "give exactly one input, named text"),
        (no_inputs, "give exactly one input, named text"),
        (two_contents, "2 contents for one input"),
        (both_contents, "give data or binary_data_size, not both"),
        (cut_off, "ends 1 bytes after the end of the tensor"),
        (not_unicode, "element 0 is not UTF-8"),
        (other_datatype, "inputs.0.datatype: must be BYTES"),
        (other_shape, "must be [n] or [n, 1]"),
        (long_shape, "inputs.0.shape"),
        (other_output, "must be label or probabilities"),
        (three_outputs, "3 outputs, there are 2"),
        (too_many, "send several requests"),
        (sequence, "leave the sequence out"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_a_wrong_request_is_refused_with_the_remedy(calling, change, said):
    calls = await calling()
    error = await calls.refused("ModelInfer", changed(change))
    assert error.code() is StatusCode.INVALID_ARGUMENT
    assert said in error.details()
    assert (await calls.infer(["good"]))[0].outputs


async def test_an_unknown_model_is_not_found(calling):
    calls = await calling()
    error = await calls.refused("ModelInfer", infer_request(["good"], model_name="other"))
    assert error.code() is StatusCode.NOT_FOUND
    assert "'other'" in error.details()
