"""A second version of a trained model, whose answers differ from those of the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from valence.service.classifier import artifact


def add_version(first: Path) -> Path:
    """Save a second version beside the folder ``first`` of a store; return its folder."""
    loaded = artifact.load(first)
    second = first.with_name(f"{first.name}-second")
    bias = loaded.tensors["output.bias"]
    change = np.zeros_like(bias)
    change[0] = 1.0
    artifact.save(
        second,
        loaded.manifest.model_copy(update={"version": second.name}),
        loaded.vocabulary,
        {**loaded.tensors, "output.bias": bias + change},
    )
    listing = (first / "model.yaml").read_text(encoding="utf-8")
    (second / "model.yaml").write_text(listing.replace(first.name, second.name), encoding="utf-8")
    return second
