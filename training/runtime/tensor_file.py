"""The state of a network and its optimizer as named tensors, in one file that is not a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from valence.service.files.atomic_write import replace_file

Tensors = dict[str, Tensor]

_STATE = "state"

UNREADABLE = (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError)
"""The errors of :func:`read_tensors`, and of the use of its result, for a damaged file."""


def copy_weights(model: nn.Module) -> Tensors:
    """A copy of the weights of ``model`` on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def get_shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """The shapes of ``tensors``, by name."""
    return {name: value.shape for name, value in tensors.items()}


def hash_tensors(tensors: Tensors) -> str:
    """SHA-256 of ``tensors``, in hexadecimal; their order does not matter."""
    return hashlib.sha256(safetensors.torch.save(tensors)).hexdigest()


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> Tensors:
    """The state of ``optimizer``; the names of a parameter's values are ``index/name``."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}/{key}": value for index, values in state.items() for key, value in values.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, flat: Tensors) -> None:
    """Restore the state that :func:`flatten_optimizer` returned."""
    content = optimizer.state_dict()
    for name, value in flat.items():
        index, _, key = name.partition("/")
        content["state"].setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(content)


def write_tensors(path: Path, parts: Mapping[str, Tensors], state: Mapping[str, Any]) -> None:
    """Replace ``path`` by tensors and JSON values; an interruption leaves the old file."""
    tensors = {
        f"{part}/{name}": value.detach().contiguous().clone()
        for part, values in parts.items()
        for name, value in values.items()
    }
    # a file that a stop of the machine damages is made again
    with replace_file(path, sync=False) as unfinished:
        safetensors.torch.save_file(tensors, unfinished, metadata={_STATE: json.dumps(state)})


def read_tensors(path: Path, parts: Sequence[str]) -> tuple[dict[str, Tensors], dict[str, Any]]:
    """The tensors of exactly these ``parts``, and the JSON values, of :func:`write_tensors`.

    Raises one of :data:`UNREADABLE`.
    """
    with safetensors.safe_open(path, framework="pt") as file:
        state: dict[str, Any] = json.loads(file.metadata()[_STATE])
        tensors: dict[str, Tensors] = {name: {} for name in parts}
        for key in file.keys():  # noqa: SIM118 - the file is not a mapping
            part, _, name = key.partition("/")
            tensors[part][name] = file.get_tensor(key)
    return tensors, state
