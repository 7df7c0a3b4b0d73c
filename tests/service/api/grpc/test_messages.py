"""The tables of messages against the classes that Triton's client has."""

import json
import subprocess
import sys

import pytest
from valence.service.api.grpc.messages import HEALTH_MESSAGES, MESSAGES

# in a process of its own, because tritonclient fills the pool that all clients share
READ = """
import json
import warnings
warnings.simplefilter("ignore")
from tritonclient.grpc import service_pb2
def fields(descriptor):
    return {
        field.number: [
            field.name,
            field.type,
            field.is_repeated,
            field.containing_oneof is not None,
            fields(field.message_type) if field.message_type else None,
        ]
        for field in descriptor.fields
    }
print(json.dumps({
    name: fields(descriptor)
    for name, descriptor in service_pb2.DESCRIPTOR.message_types_by_name.items()
    if not name.startswith(("Cuda", "System", "Trace", "Log", "ModelConfig"))
}))
"""
# one message here for two of Triton's, and answers that have fields for KServe's client
NAMES = {
    "RepositoryModelLoadRequest": "RepositoryModelRequest",
    "RepositoryModelUnloadRequest": "RepositoryModelRequest",
}


def fields(descriptor):
    return {
        str(field.number): [
            field.name,
            field.type,
            field.is_repeated,
            field.containing_oneof is not None,
            fields(field.message_type) if field.message_type else None,
        ]
        for field in descriptor.fields
    }


@pytest.fixture(scope="module")
def theirs():
    done = subprocess.run([sys.executable, "-c", READ], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_every_field_has_the_number_and_type_of_the_protocol(theirs):
    compared = 0
    for name, all_fields in theirs.items():
        expected = all_fields
        ours = MESSAGES.get(NAMES.get(name, name))
        if ours is None:
            assert name in ("InferBatchStatistics", "InferResponseStatistics", "MemoryUsage")
            continue
        found = fields(ours.DESCRIPTOR)
        if name == "ModelStatistics":
            # what is counted per batch is left out
            expected = {number: expected[number] for number in found}
        if name == "ModelStatisticsResponse":
            expected["1"][4] = found["1"][4]
        if name in ("RepositoryModelLoadResponse", "RepositoryModelUnloadResponse"):
            assert expected == {}
            continue
        assert found == expected, name
        compared += 1
    assert compared >= 20


def test_a_message_survives_the_wire_with_all_its_fields():
    kind = MESSAGES["ModelInferRequest"]
    message = kind(
        model_name="m",
        model_version="1",
        id="x",
        parameters={"a": {"bool_param": False}, "b": {"int64_param": -3}},
        inputs=[{"name": "text", "datatype": "BYTES", "shape": [2, 1]}],
        outputs=[{"name": "label", "parameters": {"c": {"string_param": ""}}}],
        raw_input_contents=[b"\x00\xff"],
    )
    read = kind.FromString(message.SerializeToString())
    assert read == message
    assert read.parameters["a"].WhichOneof("parameter_choice") == "bool_param"
    assert read.outputs[0].parameters["c"].WhichOneof("parameter_choice") == "string_param"


def test_the_health_of_a_server_is_one_number():
    answer = HEALTH_MESSAGES["HealthCheckResponse"](status=1)
    assert answer.SerializeToString() == b"\x08\x01"
    assert HEALTH_MESSAGES["HealthCheckRequest"](service="a").SerializeToString() == b"\x0a\x01a"
