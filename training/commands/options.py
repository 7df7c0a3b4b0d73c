"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

Model = Annotated[
    str, typer.Argument(help="a model in the store: NAME (its latest version) or NAME:VERSION")
]
EngineOption = Annotated[
    str, typer.Option("--engine", help="as VALENCE_ENGINE says it; by default the one that serves")
]
WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", help="where fetched corpora and interrupted runs are kept"),
]
WORKSPACE = Path(".valence")


def torch_device(name: str) -> torch.device:
    """The device that ``--device`` names; a CUDA device must be there."""
    import torch

    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        device = torch.device(chosen)
    except RuntimeError:
        raise ConfigurationError(f"--device {name!r}: give cpu, cuda, cuda:N or auto") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(f"--device {name!r}: torch sees no CUDA device here; use cpu")
    return device
