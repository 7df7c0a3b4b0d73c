"""Training by several processes at once: ``torchrun -m training train ...``.

torchrun (or what starts the processes of a cluster) tells each its number and how many there are
in the environment; without it there is one. Processes talk through :mod:`torch.distributed`, by
gloo between CPUs and NCCL between GPUs, and every one of them holds the same weights. The first
alone writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from valence.service.errors import ConfigurationError, ValenceError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from valence.service.classifier.model import RecurrentClassifier

Value = TypeVar("Value")

# while one process reads, judges or publishes the others wait for it; a process that died is found
# by torchrun at once, so the limit need not be short
_TIMEOUT = timedelta(hours=6)


def rank() -> int:
    """Which process this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def rank_slice() -> slice:
    """Which rows of what all processes take together this one takes."""
    return slice(rank(), None, world_size())


def local_rank() -> int:
    """Which of its machine's processes this is, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_device(device: torch.device) -> torch.device:
    """The GPU of this process where each has one of its own; ``device`` where one trains alone.

    Raises :class:`ConfigurationError` if the machine has fewer GPUs than processes.
    """
    import torch

    if world_size() == 1 or device.type != "cuda":
        return device
    there = torch.cuda.device_count()
    if local_rank() >= there:
        raise ConfigurationError(
            f"process {local_rank()} of this machine has no GPU of its own, there are {there}; "
            "start as many processes as GPUs, or train with --device cpu"
        )
    return torch.device("cuda", local_rank())


@contextmanager
def process_group() -> Iterator[None]:
    """Within it processes can talk; nothing at all where there is one."""
    if world_size() == 1:
        yield
        return
    import torch.distributed

    gpus = torch.cuda.is_available() and torch.distributed.is_nccl_available()
    torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=_TIMEOUT)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def broadcast_from_first(make: Callable[[], Value]) -> Value:
    """What the first process makes, given to all; the others wait for it.

    An error that Valence raises on purpose there is raised by all.
    """
    if world_size() == 1:
        return make()
    import torch.distributed

    sent: list[Any] = [None, None]
    if is_first():
        try:
            sent[0] = make()
        except ValenceError as error:
            sent[1] = error
    torch.distributed.broadcast_object_list(sent)
    if sent[1] is not None:
        raise sent[1]
    made: Value = sent[0]
    return made


@contextmanager
def first_rank_first() -> Iterator[None]:
    """Let the first process of each machine through before its others.

    So that it fetches for all of them.
    """
    if world_size() > 1 and local_rank() > 0:
        _wait()
    yield
    if world_size() > 1 and local_rank() == 0:
        _wait()


def all_gather(value: Value) -> list[Value]:
    """``value`` of every process, in their order."""
    if world_size() == 1:
        return [value]
    import torch.distributed

    values: list[Any] = [None] * world_size()
    torch.distributed.all_gather_object(values, value)
    return values


def all_sum(values: Tensor) -> Tensor:
    """The sum over processes of ``values``, in place."""
    if world_size() > 1:
        import torch.distributed

        torch.distributed.all_reduce(values)
    return values


def sum_gradients(model: RecurrentClassifier, ids: Tensor) -> None:
    """Make each gradient the sum of those of all processes.

    All are told the same sum, to the last bit, so that weights stay the same everywhere. Of the
    embedding only rows of words that some process has read, in ``ids`` ``(B, T)``, are
    exchanged: its gradient is zero elsewhere, and it is nine tenths of the parameters.
    """
    if world_size() == 1:
        return
    import torch
    import torch.distributed

    embedding = model.embedding.weight
    read = torch.zeros(len(embedding), dtype=torch.uint8, device=embedding.device)
    read[ids.reshape(-1).to(embedding.device)] = 1
    read[0] = 1  # what word dropout makes of a word
    torch.distributed.all_reduce(read, op=torch.distributed.ReduceOp.MAX)
    rows = read.nonzero()[:, 0]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        if parameter.grad is None:  # this process had no text of the batch
            parameter.grad = torch.zeros_like(parameter)
    gradients: list[Tensor] = [
        parameter.grad[rows] if parameter is embedding else parameter.grad
        for parameter in parameters
        if parameter.grad is not None
    ]
    flat = all_sum(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for parameter, gradient, part in zip(parameters, gradients, parts, strict=True):
        summed = part.view_as(gradient)
        if parameter is embedding:
            parameter.grad[rows] = summed  # type: ignore[index]
        else:
            parameter.grad = summed


def _wait() -> None:
    """A barrier between CPUs; torch's own would take a GPU where there are some."""
    import torch

    all_sum(torch.zeros(1))
