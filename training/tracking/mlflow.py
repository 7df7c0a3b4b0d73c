"""Tracking in MLflow: in a folder by default, on a server where ``MLFLOW_TRACKING_URI`` names one.

The file format needs no database and no server. MLflow still supports the file format but no longer
extends it, and requires a setting that allows it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue
from valence.service.classifier.manifest import Manifest, strip_paths
from valence.training.config.schema import Configuration
from valence.training.report import model_card
from valence.training.tracking.manifest_metrics import select_pass_rates, select_split_metrics
from valence.training.trainer.checkpoint import Epoch

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

# MLflow's own defaults wait for minutes when the server does not answer
DEFAULTS = {
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_RUN_TAG = "valence.run"
_MAX_VALUE_LENGTH = 500


class MlflowTracker:
    """One MLflow run for each training.

    The experiment is ``MLFLOW_EXPERIMENT_NAME``, by default the name of the model.
    """

    name = "MLflow"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._client: MlflowClient | None = None
        self._run_id = ""

    def begin(self, configuration: Configuration, run: str) -> None:
        """Log the settings of a new run, or continue an interrupted run of the same name."""
        for key, value in DEFAULTS.items():
            os.environ.setdefault(key, value)
        # MLflow takes seconds to import and reads the environment during the import
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        address = os.environ.get("MLFLOW_TRACKING_URI") or self._folder.absolute().as_uri()
        client = MlflowClient(tracking_uri=address)
        experiment = _get_experiment(
            client, os.environ.get("MLFLOW_EXPERIMENT_NAME") or configuration.name
        )
        runs = client.search_runs(
            [experiment],
            filter_string=f"tags.`{_RUN_TAG}` = '{run}' and attributes.status != 'FINISHED'",
            max_results=1,
        )
        if runs:
            self._run_id = runs[0].info.run_id
            client.update_run(self._run_id, status="RUNNING")
        else:
            self._run_id = client.create_run(
                experiment, run_name=run, tags={_RUN_TAG: run}
            ).info.run_id
            settings = strip_paths(configuration.model_dump(mode="json", exclude={"expected"}))
            parameters = [
                Param(key, value[:_MAX_VALUE_LENGTH]) for key, value in flatten_settings(settings)
            ]
            client.log_batch(self._run_id, params=parameters[:100])
        self._client = client

    def log_epoch(self, epoch: Epoch) -> None:
        """Log losses, dev macro-F1 and speed. The number of the epoch is the step."""
        metrics = {
            "train_loss": epoch.train_loss,
            "dev_loss": epoch.dev_loss,
            "dev_macro_f1": epoch.dev_macro_f1,
            "epoch_seconds": epoch.seconds,
            "tokens_per_second": epoch.tokens_per_second,
        }
        self._log_metrics(metrics, step=epoch.epoch)

    def finish(self, manifest: Manifest) -> None:
        """Log the metrics of the final weights, their provenance and the model card."""
        from mlflow.entities import RunTag

        client = self._log_metrics(_collect_metrics(manifest), step=manifest.training.epochs)
        tags = [
            RunTag(key, value[:_MAX_VALUE_LENGTH]) for key, value in _collect_tags(manifest).items()
        ]
        client.log_batch(self._run_id, tags=tags)
        client.log_text(self._run_id, model_card.render_model_card(manifest), model_card.FILE)
        client.set_terminated(self._run_id, "FINISHED")

    def stop(self) -> None:
        """Mark the run as killed; it can be continued."""
        if self._client is not None:
            self._client.set_terminated(self._run_id, "KILLED")

    def _log_metrics(self, values: Mapping[str, float], *, step: int) -> MlflowClient:
        from mlflow.entities import Metric

        if self._client is None:
            raise RuntimeError("begin the run before logging")
        now = time.time_ns() // 1_000_000
        metrics = [Metric(key, value, now, step) for key, value in values.items()]
        self._client.log_batch(self._run_id, metrics=metrics)
        return self._client


def flatten_settings(
    settings: Mapping[str, JsonValue], prefix: str = ""
) -> Iterator[tuple[str, str]]:
    """The entries of a nested configuration as pairs of ``section.key`` and value."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from flatten_settings(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{key}", str(value)


def _get_experiment(client: MlflowClient, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    identifier: str = experiment.experiment_id if experiment else client.create_experiment(name)
    return identifier


def _collect_metrics(manifest: Manifest) -> dict[str, float]:
    split_metrics = {
        f"{split}/{key}": value
        for split in manifest.metrics
        for key, value in select_split_metrics(manifest, split).items()
    }
    training = manifest.training
    return (
        split_metrics
        | select_pass_rates(manifest)
        | {
            "temperature": manifest.temperature,
            "seconds": training.seconds,
            "peak_memory_bytes": float(training.peak_memory_bytes),
        }
    )


def _collect_tags(manifest: Manifest) -> dict[str, str]:
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
