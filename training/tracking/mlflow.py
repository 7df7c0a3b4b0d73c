"""Runs in MLflow: a folder of files by default, a server where ``MLFLOW_TRACKING_URI`` names one.

The files stay because they need no database and no server; MLflow keeps that format without adding
to it, and asks to be told that it is wanted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from valence.service.classifier.manifest import Manifest, strip_paths
from valence.training.config.schema import Configuration
from valence.training.report import model_card
from valence.training.tracking.figures import behaviour, flat, of_split
from valence.training.trainer.checkpoint import Epoch

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

# MLflow's own defaults wait for minutes for a server that is not there
DEFAULTS = {
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_RUN = "valence.run"
_LONGEST = 500


class Runs:
    """A run a training, in the experiment ``MLFLOW_EXPERIMENT_NAME`` or the model's name."""

    name = "MLflow"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._client: MlflowClient | None = None
        self._run_id = ""

    def begin(self, configuration: Configuration, run: str) -> None:
        """Log the settings; a run of the same name that was interrupted goes on."""
        for key, value in DEFAULTS.items():
            os.environ.setdefault(key, value)
        # takes seconds to import, and reads the environment then
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        address = os.environ.get("MLFLOW_TRACKING_URI") or self._folder.absolute().as_uri()
        client = MlflowClient(tracking_uri=address)
        experiment = _experiment(
            client, os.environ.get("MLFLOW_EXPERIMENT_NAME") or configuration.name
        )
        found = client.search_runs(
            [experiment],
            filter_string=f"tags.`{_RUN}` = '{run}' and attributes.status != 'FINISHED'",
            max_results=1,
        )
        if found:
            self._run_id = found[0].info.run_id
            client.update_run(self._run_id, status="RUNNING")
        else:
            self._run_id = client.create_run(experiment, run_name=run, tags={_RUN: run}).info.run_id
            settings = strip_paths(configuration.model_dump(mode="json", exclude={"expected"}))
            parameters = [Param(key, value[:_LONGEST]) for key, value in flat(settings)]
            client.log_batch(self._run_id, params=parameters[:100])
        self._client = client

    def epoch(self, epoch: Epoch) -> None:
        """Losses, dev macro-F1 and speed, at the epoch as a step."""
        figures = {
            "train_loss": epoch.train_loss,
            "dev_loss": epoch.dev_loss,
            "dev_macro_f1": epoch.dev_macro_f1,
            "epoch_seconds": epoch.seconds,
            "tokens_per_second": epoch.tokens_per_second,
        }
        self._log(figures, step=epoch.epoch)

    def finish(self, manifest: Manifest) -> None:
        """The figures of the weights kept, what they came from, and the model card."""
        from mlflow.entities import RunTag

        client = self._log(_final(manifest), step=manifest.training.epochs)
        tags = [RunTag(key, value[:_LONGEST]) for key, value in _tags(manifest).items()]
        client.log_batch(self._run_id, tags=tags)
        client.log_text(self._run_id, model_card.render(manifest), model_card.FILE)
        client.set_terminated(self._run_id, "FINISHED")

    def stop(self) -> None:
        """It may be continued."""
        if self._client is not None:
            self._client.set_terminated(self._run_id, "KILLED")

    def _log(self, figures: Mapping[str, float], *, step: int) -> MlflowClient:
        from mlflow.entities import Metric

        if self._client is None:
            raise RuntimeError("the run has not begun")
        now = time.time_ns() // 1_000_000
        metrics = [Metric(key, value, now, step) for key, value in figures.items()]
        self._client.log_batch(self._run_id, metrics=metrics)
        return self._client


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    identifier: str = found.experiment_id if found else client.create_experiment(name)
    return identifier


def _final(manifest: Manifest) -> dict[str, float]:
    of_splits = {
        f"{split}/{key}": value
        for split in manifest.metrics
        for key, value in of_split(manifest, split).items()
    }
    training = manifest.training
    return (
        of_splits
        | behaviour(manifest)
        | {
            "temperature": manifest.temperature,
            "seconds": training.seconds,
            "peak_memory_bytes": float(training.peak_memory_bytes),
        }
    )


def _tags(manifest: Manifest) -> dict[str, str]:
    training = manifest.training
    return {
        "mlflow.runName": f"{manifest.name}:{manifest.version}",
        "mlflow.source.git.commit": training.code_version,
        "valence.version": manifest.version,
        "valence.hardware": training.hardware,
        "valence.platform": training.platform,
        **{f"valence.corpus.{corpus.name}.sha256": corpus.sha256 for corpus in training.corpora},
        **{f"valence.{name}.sha256": value for name, value in training.split_sha256.items()},
    }
