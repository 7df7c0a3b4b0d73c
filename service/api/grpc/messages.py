"""The messages of the Open Inference Protocol and of gRPC's health protocol.

A message on the wire is what the numbers and types of its fields say, and nothing more. So the
tables below are the protocol, and protobuf makes the classes from them at import: there is no
compiler of protocols, and no generated code of a version that must fit that of protobuf. The
classes live in a pool of their own, beside those of any client in the same process.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}
# Fields are ``number name type``. A type is a basic one or a message of the same table, after
# ``repeated``, ``map`` (from strings) or ``choice`` (one of the fields with this word).
_Table = dict[str, tuple[str, ...]]
_MODEL = ("1 name string", "2 version string")
_TENSOR = ("1 name string", "2 datatype string", "3 shape repeated int64")
_DURATIONS = (
    "success",
    "fail",
    "queue",
    "compute_input",
    "compute_infer",
    "compute_output",
    "cache_hit",
    "cache_miss",
)
_INFERENCE: _Table = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": ("1 live bool",),
    "ServerReadyRequest": (),
    "ServerReadyResponse": ("1 ready bool",),
    "ModelReadyRequest": _MODEL,
    "ModelReadyResponse": ("1 ready bool",),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": (*_MODEL, "3 extensions repeated string"),
    "ModelMetadataRequest": _MODEL,
    "TensorMetadata": _TENSOR,
    "ModelMetadataResponse": (
        "1 name string",
        "2 versions repeated string",
        "3 platform string",
        "4 inputs repeated TensorMetadata",
        "5 outputs repeated TensorMetadata",
    ),
    "InferParameter": (
        "1 bool_param choice bool",
        "2 int64_param choice int64",
        "3 string_param choice string",
        "4 double_param choice double",
        "5 uint64_param choice uint64",
    ),
    "InferTensorContents": (
        "1 bool_contents repeated bool",
        "2 int_contents repeated int32",
        "3 int64_contents repeated int64",
        "4 uint_contents repeated uint32",
        "5 uint64_contents repeated uint64",
        "6 fp32_contents repeated float",
        "7 fp64_contents repeated double",
        "8 bytes_contents repeated bytes",
    ),
    "InferTensor": (*_TENSOR, "4 parameters map InferParameter", "5 contents InferTensorContents"),
    "InferRequestedOutputTensor": ("1 name string", "2 parameters map InferParameter"),
    "ModelInferRequest": (
        "1 model_name string",
        "2 model_version string",
        "3 id string",
        "4 parameters map InferParameter",
        "5 inputs repeated InferTensor",
        "6 outputs repeated InferRequestedOutputTensor",
        "7 raw_input_contents repeated bytes",
    ),
    "ModelInferResponse": (
        "1 model_name string",
        "2 model_version string",
        "3 id string",
        "4 parameters map InferParameter",
        "5 outputs repeated InferTensor",
        "6 raw_output_contents repeated bytes",
    ),
    "ModelStreamInferResponse": (
        "1 error_message string",
        "2 infer_response ModelInferResponse",
    ),
    "ModelStatisticsRequest": _MODEL,
    "StatisticDuration": ("1 count uint64", "2 ns uint64"),
    "InferStatistics": tuple(
        f"{number} {name} StatisticDuration" for number, name in enumerate(_DURATIONS, 1)
    ),
    "ModelStatistics": (
        *_MODEL,
        "3 last_inference uint64",
        "4 inference_count uint64",
        "5 execution_count uint64",
        "6 inference_stats InferStatistics",
    ),
    "ModelStatisticsResponse": ("1 model_stats repeated ModelStatistics",),
    "RepositoryIndexRequest": ("1 repository_name string", "2 ready bool"),
    "ModelIndex": (*_MODEL, "3 state string", "4 reason string"),
    "RepositoryIndexResponse": ("1 models repeated ModelIndex",),
    "ModelRepositoryParameter": (
        "1 bool_param choice bool",
        "2 int64_param choice int64",
        "3 string_param choice string",
        "4 bytes_param choice bytes",
    ),
    # KServe has one field in a request, the name as number 1, and two in an answer. Triton has the
    # name as number 2, after that of the repository, and nothing in an answer.
    "RepositoryModelRequest": (
        "1 repository_name string",
        "2 model_name string",
        "3 parameters map ModelRepositoryParameter",
    ),
    "RepositoryModelLoadResponse": ("1 model_name string", "2 isLoaded bool"),
    "RepositoryModelUnloadResponse": ("1 model_name string", "2 isUnloaded bool"),
}
_HEALTH: _Table = {
    "HealthCheckRequest": ("1 service string",),
    # an enumeration, which is a number on the wire
    "HealthCheckResponse": ("1 status int32",),
}


def _make_classes(package: str, table: _Table) -> dict[str, Any]:
    """A class for each message of ``table``."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3"
    )
    for name, fields in table.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, package, field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in table
    }


def _add_field(message: descriptor_pb2.DescriptorProto, package: str, field: str) -> None:
    number, name, *marks, kind = field.split()
    mark = marks[0] if marks else ""
    added = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if mark == "map":
        entry = f"{name.title().replace('_', '')}Entry"
        _add_entry(message, package, entry, kind)
        kind = f"{message.name}.{entry}"
    if mark in ("repeated", "map"):
        added.label = _Field.LABEL_REPEATED
    if mark == "choice":
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        added.oneof_index = 0
    if kind in _TYPES:
        added.type = _TYPES[kind]
    else:
        added.type, added.type_name = _Field.TYPE_MESSAGE, f".{package}.{kind}"


def _add_entry(message: descriptor_pb2.DescriptorProto, package: str, name: str, kind: str) -> None:
    """Add the message that an entry of a map is, from strings to ``kind``."""
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    _add_field(entry, package, "1 key string")
    _add_field(entry, package, f"2 value {kind}")


MESSAGES = _make_classes("inference", _INFERENCE)
HEALTH_MESSAGES = _make_classes("grpc.health.v1", _HEALTH)
