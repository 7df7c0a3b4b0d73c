"""Train with several processes at once: ``torchrun -m valence.training train ...``.

torchrun (or the launcher of a cluster) tells each process its rank and the number of processes in
the environment; without a launcher there is one process. Processes communicate through
:mod:`torch.distributed`, by gloo between CPUs and by NCCL between GPUs. All processes hold the same
weights, and only the first process writes files.
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

# While one process reads, evaluates or publishes, the others wait for it. torchrun notices at
# once if a process dies, so the limit can be long.
_TIMEOUT = timedelta(hours=6)


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """The number of processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process writes the files."""
    return rank() == 0


def rank_slice() -> slice:
    """The rows of a common batch that this process takes."""
    return slice(rank(), None, world_size())


def local_rank() -> int:
    """The number of this process among those of its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_device(device: torch.device) -> torch.device:
    """The GPU of this process; ``device`` where a single process trains.

    Raises :class:`ConfigurationError` if the machine has fewer GPUs than processes.
    """
    import torch

    if world_size() == 1 or device.type != "cuda":
        return device
    gpus = torch.cuda.device_count()
    if local_rank() >= gpus:
        raise ConfigurationError(
            f"process {local_rank()} of this machine has no GPU of its own, there are {gpus}; "
            "start as many processes as GPUs, or train with --device cpu"
        )
    return torch.device("cuda", local_rank())


@contextmanager
def process_group() -> Iterator[None]:
    """Let processes communicate within the ``with`` block; does nothing for a single process."""
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
    """Call ``make`` in the first process and return its value in all; the others wait.

    A :class:`ValenceError` of the first process is raised in all processes.
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
    """Run the ``with`` block in the first process of each machine before the machine's others.

    The first process then fetches files for all of them.
    """
    if world_size() > 1 and local_rank() > 0:
        _wait()
    yield
    if world_size() > 1 and local_rank() == 0:
        _wait()


def all_gather(value: Value) -> list[Value]:
    """The ``value`` of each process, in the order of their ranks."""
    if world_size() == 1:
        return [value]
    import torch.distributed

    values: list[Any] = [None] * world_size()
    torch.distributed.all_gather_object(values, value)
    return values


def all_sum(values: Tensor) -> Tensor:
    """Sum ``values`` over the processes, in place."""
    if world_size() > 1:
        import torch.distributed

        torch.distributed.all_reduce(values)
    return values


def sum_gradients(model: RecurrentClassifier, ids: Tensor) -> None:
    """Replace each gradient by its sum over all processes.

    All processes receive the same sum, to the last bit, so their weights stay equal. The embedding
    is nine tenths of the parameters, and its gradient is zero for all words outside the batch. So
    only its rows of words that some process has read, in ``ids`` ``(B, T)``, are exchanged.
    """
    if world_size() == 1:
        return
    import torch
    import torch.distributed

    embedding = model.embedding.weight
    is_read = torch.zeros(len(embedding), dtype=torch.uint8, device=embedding.device)
    ids = ids.reshape(-1).to(embedding.device)
    is_read[ids[ids < len(embedding)]] = 1  # other words keep their vectors
    is_read[0] = 1  # the unknown word, which word dropout inserts
    torch.distributed.all_reduce(is_read, op=torch.distributed.ReduceOp.MAX)
    rows = is_read.nonzero()[:, 0]
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
    sums = torch.split(flat, [gradient.numel() for gradient in gradients])
    for parameter, gradient, flat_sum in zip(parameters, gradients, sums, strict=True):
        summed = flat_sum.view_as(gradient)
        if parameter is embedding:
            parameter.grad[rows] = summed  # type: ignore[index]
        else:
            parameter.grad = summed


def _wait() -> None:
    """A barrier between CPUs; torch's own barrier would use a GPU if there is one."""
    import torch

    all_sum(torch.zeros(1))
