"""The folder of all files that stay between two runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Workspace:
    """Folders for fetched archives, interrupted runs, teachers and character models."""

    root: Path

    @property
    def corpora(self) -> Path:
        """Fetched archives."""
        return self.root / "corpora"

    @property
    def runs(self) -> Path:
        """Checkpoints."""
        return self.root / "runs"

    @property
    def teachers(self) -> Path:
        """Weights and logits of teachers."""
        return self.root / "teachers"

    @property
    def characters(self) -> Path:
        """Character models."""
        return self.root / "characters"
