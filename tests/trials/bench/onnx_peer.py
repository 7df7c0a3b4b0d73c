"""The network as an ONNX graph, run by ONNX Runtime in fp32 and quantized to int8.

The graph is built by hand from ONNX's own ``LSTM`` with sequence lengths, the form that the fused
kernels of the runtime need; the graph of an exporter would be equally fast at best.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.artifact import Tensors
from valence.service.classifier.classifier import Logits
from valence.service.classifier.vocabulary import WordIds

# gate order of an LSTM: torch has input, forget, cell, output; ONNX has input, output, forget, cell
_GATES = (0, 3, 1, 2)


def sessions(
    architecture: Architecture, tensors: Tensors
) -> dict[str, Callable[[list[WordIds]], Logits]]:
    """Return ``compute(documents)`` for both number formats, one thread each."""
    logging.getLogger().setLevel(logging.ERROR)  # the quantizer writes advice to the root logger
    with tempfile.TemporaryDirectory() as folder:
        full, small = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(_graph(architecture, tensors), full)
        quantize_dynamic(
            full, small, weight_type=QuantType.QInt8, op_types_to_quantize=["LSTM", "MatMul"]
        )
        return {
            "ONNX Runtime fp32": _session(full),
            "ONNX Runtime dynamic int8": _session(small),
        }


def _session(path: Path) -> Callable[[list[WordIds]], Logits]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )

    def compute(documents: list[WordIds]) -> Logits:
        lengths = np.array([len(document) for document in documents], dtype=np.int32)
        ids = np.zeros((int(lengths.max()), len(documents)), dtype=np.int64)  # (T, B)
        for column, document in enumerate(documents):
            ids[: len(document), column] = document
        present = np.arange(len(ids))[:, None] < lengths  # (T, B)
        hiding = np.where(present, 0.0, -4.0).astype(np.float32)[:, None, :, None]
        logits: Logits = session.run(
            ["logits"], {"ids": ids, "lengths": lengths, "hiding": hiding}
        )[0]
        return logits

    return compute


def _graph(architecture: Architecture, tensors: Tensors) -> onnx.ModelProto:
    """Return the graph, with time as the first axis; states beyond a document's end are zero."""
    hidden = architecture.hidden_size
    directions = ("", "_reverse")

    def gates(name: str) -> np.ndarray:
        matrix = tensors[name]
        return np.concatenate([matrix.reshape(4, hidden, *matrix.shape[1:])[g] for g in _GATES])

    def both(kind: str) -> np.ndarray:
        return np.stack([gates(f"recurrent.{kind}_l0{direction}") for direction in directions])

    weights = {
        "embedding": tensors["embedding.weight"],
        "input_weights": both("weight_ih"),
        "recurrent_weights": both("weight_hh"),
        "biases": np.concatenate([both("bias_ih"), both("bias_hh")], axis=1),
        "output": np.ascontiguousarray(tensors["output.weight"].T),
        "output_bias": tensors["output.bias"],
        "steps": np.array([0], dtype=np.int64),
        "flat": np.array([0, architecture.width], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["embedding", "ids"], ["embedded"]),
        helper.make_node(
            "LSTM",
            ["embedded", "input_weights", "recurrent_weights", "biases", "lengths"],
            ["states"],  # (T, 2, B, H)
            hidden_size=hidden,
            direction="bidirectional",
        ),
        # states lie between -1 and 1, so a value lowered by 4 is never the largest
        helper.make_node("Add", ["states", "hiding"], ["present"]),
        helper.make_node("ReduceMax", ["present", "steps"], ["largest"], keepdims=0),  # (2, B, H)
        helper.make_node("Transpose", ["largest"], ["by_document"], perm=[1, 0, 2]),
        helper.make_node("Reshape", ["by_document", "flat"], ["maximum"]),
    ]
    pooled = "maximum"
    if architecture.pooling == "max_mean":
        nodes += [
            helper.make_node("ReduceSum", ["states", "steps"], ["sums"], keepdims=0),
            helper.make_node("Cast", ["lengths"], ["counts"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["counts", "one"], ["columns"]),
            helper.make_node("Transpose", ["sums"], ["sums_by_document"], perm=[1, 0, 2]),
            helper.make_node("Reshape", ["sums_by_document", "flat"], ["sum"]),
            helper.make_node("Div", ["sum", "columns"], ["mean"]),
            helper.make_node("Concat", ["maximum", "mean"], ["pooled"], axis=1),
        ]
        weights["one"] = np.array([1], dtype=np.int64)
        pooled = "pooled"
    nodes += [
        helper.make_node("MatMul", [pooled, "output"], ["products"]),
        helper.make_node("Add", ["products", "output_bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["time", "batch"]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
            helper.make_tensor_value_info("hiding", TensorProto.FLOAT, ["time", 1, "batch", 1]),
        ],
        [
            helper.make_tensor_value_info(
                "logits", TensorProto.FLOAT, ["batch", architecture.outputs]
            )
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
