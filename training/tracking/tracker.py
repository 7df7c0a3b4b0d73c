"""Tracking of training runs in MLflow and TensorBoard.

Trackers log metrics, settings and hashes, never a text, and only the last part of a path. A failure
of a tracker never stops a training: it becomes one warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from valence.service.classifier.manifest import Manifest
from valence.training.config.schema import Configuration
from valence.training.runtime.progress import Reporter
from valence.training.trainer.checkpoint import Epoch

EXTRA = "valence[tracking]"
# user and password in an address
_CREDENTIALS = re.compile(r"//[^/@\s]*@")


class Tracker(Protocol):
    """A tracker of runs. Any method may raise any exception."""

    name: str

    def begin(self, configuration: Configuration, run: str) -> None:
        """Begin a run, or continue an interrupted run of this name."""
        ...

    def log_epoch(self, epoch: Epoch) -> None:
        """Log a finished epoch."""
        ...

    def finish(self, manifest: Manifest) -> None:
        """Finish the run: the classifier is in the store."""
        ...

    def stop(self) -> None:
        """Stop the run before it has finished."""
        ...


class Tracking:
    """Passes each event to all trackers. A tracker that fails is removed, with a warning."""

    def __init__(self, trackers: Sequence[Tracker] = (), *, warn: Callable[[str], None]) -> None:
        self._trackers = list(trackers)
        self._warn = warn

    def begin(self, configuration: Configuration, run: str) -> None:
        """Begin a run. The name ``run`` depends on everything that the training depends on."""
        self._notify(lambda tracker: tracker.begin(configuration, run))

    def log_epoch(self, epoch: Epoch) -> None:
        """Log a finished epoch, before its checkpoint is written."""
        self._notify(lambda tracker: tracker.log_epoch(epoch))

    def finish(self, manifest: Manifest) -> None:
        """Finish the run, once the classifier is in the store."""
        self._notify(lambda tracker: tracker.finish(manifest))

    def stop(self) -> None:
        """Stop the run where it ends in any other way."""
        self._notify(lambda tracker: tracker.stop())

    def _notify(self, call: Callable[[Tracker], None]) -> None:
        for tracker in tuple(self._trackers):
            try:
                call(tracker)
            # a tracking server can fail in any way, and no failure is worth a training
            except Exception as error:
                self._trackers.remove(tracker)
                message = _CREDENTIALS.sub("//", (str(error).splitlines() or [""])[0])[:300]
                self._warn(
                    f"warning: this run is no longer tracked in {tracker.name}: "
                    f"{type(error).__name__}: {message}"
                )


UNTRACKED = Tracking(warn=lambda _: None)


@contextmanager
def track_run(workspace: Path, reporter: Reporter) -> Iterator[Tracking]:
    """Track a run in MLflow and TensorBoard; stop the run if the block raises.

    MLflow logs to ``workspace / "mlruns"``, or to ``MLFLOW_TRACKING_URI`` where it is set.
    TensorBoard logs to ``workspace / "curves"``. Without the packages of :data:`EXTRA`
    nothing is tracked, and a message says so.
    """
    if any(find_spec(package) is None for package in ("mlflow", "tensorboard")):
        reporter.say(f"this run is not tracked: run pip install '{EXTRA}', or use --no-track")
        yield UNTRACKED
        return
    from valence.training.tracking.mlflow import MlflowTracker
    from valence.training.tracking.tensorboard import TensorBoardTracker

    tracking = Tracking(
        (TensorBoardTracker(workspace / "curves"), MlflowTracker(workspace / "mlruns")),
        warn=reporter.say,
    )
    try:
        yield tracking
    except BaseException:
        tracking.stop()
        raise
