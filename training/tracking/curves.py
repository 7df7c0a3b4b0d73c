"""Curves that TensorBoard draws: an event file for each run, under the run's name."""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from valence.service.classifier.manifest import Manifest
from valence.training.checkpoint import Epoch
from valence.training.configuration import Configuration
from valence.training.tracking.figures import behaviour, of_split


class Curves:
    """A folder a run in ``folder``; ``tensorboard --logdir`` shows them all."""

    name = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._run = ""

    def begin(self, configuration: Configuration, run: str) -> None:  # noqa: ARG002
        """The file is begun by the first epoch."""
        self._run = run

    def epoch(self, epoch: Epoch) -> None:
        """Losses, dev macro-F1 and speed."""
        writer = self._open(epoch.epoch)
        for tag, value in (
            ("loss/train", epoch.train_loss),
            ("loss/dev", epoch.dev_loss),
            ("macro-F1/dev", epoch.dev_macro_f1),
            ("speed/tokens per second", epoch.tokens_per_second),
        ):
            writer.add_scalar(tag, value, epoch.epoch)
        writer.flush()

    def finish(self, manifest: Manifest) -> None:
        """The figures of the weights kept, at their epoch."""
        kept = manifest.training.epochs
        writer = self._open(kept + 1)
        for split in manifest.metrics:
            for key, value in of_split(manifest, split).items():
                writer.add_scalar(f"{split}/{key}", value, kept)
        for name, rate in behaviour(manifest).items():
            writer.add_scalar(name, rate, kept)
        self.stop()

    def stop(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self, epoch: int) -> SummaryWriter:
        if self._writer is None:
            # of an interrupted run, what it told after its last checkpoint comes again
            self._writer = SummaryWriter(str(self._folder / self._run), purge_step=epoch)
        return self._writer
