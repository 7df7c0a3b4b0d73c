"""What others may watch while a classifier is trained: runs in MLflow, curves in TensorBoard.

Figures, settings and hashes go there, never a text, and of paths the last part only. Tracking is
told of a training and never stops it: whatever fails there is one warning.
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
# what an address says of who asks
_CREDENTIALS = re.compile(r"//[^/@\s]*@")


class Tracker(Protocol):
    """A place that runs are told to; any of its methods may raise anything."""

    name: str

    def begin(self, configuration: Configuration, run: str) -> None:
        """A run begins, or goes on if one of this name was interrupted."""
        ...

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is done."""
        ...

    def finish(self, manifest: Manifest) -> None:
        """The classifier is in the store."""
        ...

    def stop(self) -> None:
        """The run ended before it was finished."""
        ...


class Tracking:
    """Tells each tracker; one that fails is told of in a warning and left out from then on."""

    def __init__(self, trackers: Sequence[Tracker] = (), *, warn: Callable[[str], None]) -> None:
        self._trackers = list(trackers)
        self._warn = warn

    def begin(self, configuration: Configuration, run: str) -> None:
        """``run`` names the training by all that it depends on."""
        self._tell(lambda tracker: tracker.begin(configuration, run))

    def epoch(self, epoch: Epoch) -> None:
        """Called once an epoch is done and before its checkpoint is written."""
        self._tell(lambda tracker: tracker.epoch(epoch))

    def finish(self, manifest: Manifest) -> None:
        """Called once the classifier is in the store."""
        self._tell(lambda tracker: tracker.finish(manifest))

    def stop(self) -> None:
        """Called where a run ends in any other way."""
        self._tell(lambda tracker: tracker.stop())

    def _tell(self, call: Callable[[Tracker], None]) -> None:
        for tracker in tuple(self._trackers):
            try:
                call(tracker)
            # a tracking server's faults are of no one kind, and none is worth a training
            except Exception as error:
                self._trackers.remove(tracker)
                said = _CREDENTIALS.sub("//", (str(error).splitlines() or [""])[0])[:300]
                self._warn(
                    f"warning: {tracker.name} is not told of this run any more: "
                    f"{type(error).__name__}: {said}"
                )


UNTRACKED = Tracking(warn=lambda _: None)


@contextmanager
def tracked(workspace: Path, reporter: Reporter) -> Iterator[Tracking]:
    """Runs under ``workspace / "mlruns"``, or wherever ``MLFLOW_TRACKING_URI`` says, and curves
    under ``workspace / "curves"``.

    Without the packages of :data:`REQUIREMENTS` nothing is tracked, and that is said.
    """
    if any(find_spec(package) is None for package in ("mlflow", "tensorboard")):
        reporter.say(f"this run is not tracked: pip install '{EXTRA}', or --no-track")
        yield UNTRACKED
        return
    from valence.training.tracking.mlflow import Runs
    from valence.training.tracking.tensorboard import Curves

    tracking = Tracking(
        (Curves(workspace / "curves"), Runs(workspace / "mlruns")), warn=reporter.say
    )
    try:
        yield tracking
    except BaseException:
        tracking.stop()
        raise
