"""Seeds of the random draws of a run, derived from the seed of the run."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """The purpose of a draw; two purposes never share a seed."""

    RANGES = 0  # the order of the ranges, per pass over streamed files
    POOL = 1  # the order of the texts, per pool of ranges
    DROPOUT = 2  # per step


def derive(seed: int, purpose: Purpose, number: int) -> int:
    """The seed, below 2^64, of draw ``number`` for ``purpose`` in the run with ``seed``."""
    state = np.random.SeedSequence((seed, purpose, number)).generate_state(1, np.uint64)
    return int(state[0])


def repeat_exactly(device: torch.device) -> None:
    """Make the same seed give the same weights, bit for bit, on the same machine.

    A GPU kernel without a deterministic variant warns instead of failing.
    """
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    # This would also fill memory that is overwritten anyway, at a sixth of a large softmax's time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
