"""What a network and its optimizer hold, as named tensors, and one file of them: never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

Tensors = dict[str, Tensor]

_STATE = "state"

UNREADABLE = (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError)
"""What :func:`read_tensors`, and making sense of what it gives, raise for a file that is damaged."""


def copy_weights(model: nn.Module) -> Tensors:
    """The weights of ``model`` as they are now, in the memory of the processor."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def get_shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """Those of ``tensors``, by name."""
    return {name: value.shape for name, value in tensors.items()}


def hash_tensors(tensors: Tensors) -> str:
    """Names ``tensors`` by what they hold, in hexadecimal; their order does not matter."""
    return hashlib.sha256(safetensors.torch.save(tensors)).hexdigest()


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> Tensors:
    """The state of ``optimizer``, of parameter ``index`` under ``index/name``."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}/{key}": value for index, values in state.items() for key, value in values.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, flat: Tensors) -> None:
    """Put back into ``optimizer`` what :func:`flatten_optimizer` took."""
    content = optimizer.state_dict()
    for name, value in flat.items():
        index, _, key = name.partition("/")
        content["state"].setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(content)


def write_tensors(path: Path, parts: Mapping[str, Tensors], state: Mapping[str, Any]) -> None:
    """Replace ``path`` by tensors and JSON values; an interruption leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{part}/{name}": value.detach().contiguous().clone()
        for part, values in parts.items()
        for name, value in values.items()
    }
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        safetensors.torch.save_file(tensors, unfinished, metadata={_STATE: json.dumps(state)})
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_tensors(path: Path, parts: Sequence[str]) -> tuple[dict[str, Tensors], dict[str, Any]]:
    """What :func:`write_tensors` wrote, of just these ``parts``; raises one of :data:`UNREADABLE`."""
    with safetensors.safe_open(path, framework="pt") as file:
        state: dict[str, Any] = json.loads(file.metadata()[_STATE])
        tensors: dict[str, Tensors] = {name: {} for name in parts}
        for key in file.keys():  # noqa: SIM118 - the file is no mapping
            part, _, name = key.partition("/")
            tensors[part][name] = file.get_tensor(key)
    return tensors, state
