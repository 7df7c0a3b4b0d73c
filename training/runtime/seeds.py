"""Seeds of what a run draws by chance, each derived from the run's own."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """What is drawn; no two purposes share a seed."""

    RANGES = 0  # their order, of each pass over streamed files
    POOL = 1  # the order of its texts, of each pool of ranges
    DROPOUT = 2  # of each step


def derive(seed: int, purpose: Purpose, number: int) -> int:
    """The seed, below 2^64, of the ``number``-th draw for ``purpose`` in the run of ``seed``."""
    state = np.random.SeedSequence((seed, purpose, number)).generate_state(1, np.uint64)
    return int(state[0])


def repeat_exactly(device: torch.device) -> None:
    """Let the same seed give the same weights, bit for bit, on the same machine.

    A GPU kernel without a deterministic form warns instead of failing.
    """
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    # that would also fill memory which is written anyway, for a sixth of a large softmax's time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
