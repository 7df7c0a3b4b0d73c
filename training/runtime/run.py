"""What every step of a command shares: where it keeps files, how it reports, what computes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from valence.training.runtime.progress import Reporter
    from valence.training.runtime.workspace import Workspace


def _cpu() -> torch.device:
    import torch  # torch takes seconds to import

    return torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command.

    ``workspace`` holds the files that stay after the run, ``reporter`` tells the user about
    progress, and ``device`` computes the networks: the CPU, unless the command has ``--device``.
    """

    workspace: Workspace
    reporter: Reporter
    device: torch.device = field(default_factory=_cpu)
