"""A trained model in MLflow: as a folder, or as a version in the registry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from valence.service.classifier.manifest import Manifest
from valence.service.files.atomic_write import make_unfinished_folder
from valence.service.score.mlflow_model import describe_model
from valence.service.score.recipe import ScorerRecipe
from valence.training.tracking.mlflow import DEFAULTS

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


def save_model(recipe: ScorerRecipe, out: Path) -> None:
    """Write the model of ``recipe`` to the folder ``out``, as MLflow's own tools read it.

    ``out`` is there whole or not at all.
    """
    _set_defaults()
    from mlflow import pyfunc

    with make_unfinished_folder(out.parent) as folder:
        pyfunc.save_model(folder / out.name, **describe_model(recipe))
        (folder / out.name).rename(out)


def register_model(recipe: ScorerRecipe, manifest: Manifest, *, folder: Path, alias: str) -> str:
    """Add the model of ``recipe`` to the registry under its name; returns ``models:/NAME/VERSION``.

    The version gets the ``alias``, and belongs to the run of its training if that was tracked. The
    registry is that of ``MLFLOW_TRACKING_URI``, or in ``folder``.
    """
    _set_defaults()
    import mlflow
    from mlflow.tracking import MlflowClient

    address = os.environ.get("MLFLOW_TRACKING_URI") or folder.absolute().as_uri()
    mlflow.set_tracking_uri(address)
    client = MlflowClient(address)
    with mlflow.start_run(_find_run(client, manifest.version)):
        logged = mlflow.pyfunc.log_model(
            name="model", registered_model_name=manifest.name, **describe_model(recipe)
        )
    version = str(logged.registered_model_version)
    client.set_registered_model_alias(manifest.name, alias, version)
    return f"models:/{manifest.name}/{version}"


def _set_defaults() -> None:
    """Before MLflow is imported, which reads them then."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def _find_run(client: MlflowClient, version: str) -> str | None:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(
        experiments, filter_string=f"tags.`valence.version` = '{version}'", max_results=1
    )
    return runs[0].info.run_id if runs else None
