"""Tracking in TensorBoard: one folder of event files for each run, under the run's name."""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from valence.service.classifier.manifest import Manifest
from valence.training.config.schema import Configuration
from valence.training.tracking.manifest_metrics import select_pass_rates, select_split_metrics
from valence.training.trainer.checkpoint import Epoch


class TensorBoardTracker:
    """One folder for each run in ``folder``; ``tensorboard --logdir`` shows all runs."""

    name = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._run = ""

    def begin(self, configuration: Configuration, run: str) -> None:  # noqa: ARG002
        """Remember the name of the run. The first epoch creates the file."""
        self._run = run

    def log_epoch(self, epoch: Epoch) -> None:
        """Log losses, dev macro-F1 and speed."""
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
        """Log the metrics of the final weights at their epoch."""
        last_epoch = manifest.training.epochs
        writer = self._open(last_epoch + 1)
        for split in manifest.metrics:
            for key, value in select_split_metrics(manifest, split).items():
                writer.add_scalar(f"{split}/{key}", value, last_epoch)
        for name, rate in select_pass_rates(manifest).items():
            writer.add_scalar(name, rate, last_epoch)
        self.stop()

    def stop(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self, epoch: int) -> SummaryWriter:
        if self._writer is None:
            # an interrupted run logs the epochs after its last checkpoint again
            self._writer = SummaryWriter(str(self._folder / self._run), purge_step=epoch)
        return self._writer
