"""``valence export``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from valence.service.errors import ConfigurationError
from valence.training.cli.options import WORKSPACE, EngineOption, ModelArgument


class Format(StrEnum):
    """What a model is exported as."""

    MLFLOW = "mlflow"


def export(
    form: Annotated[Format, typer.Argument(metavar="FORMAT", help="mlflow: a pyfunc model.")],
    model: ModelArgument,
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; --register needs none.")
    ] = None,
    alias: Annotated[
        str | None,
        typer.Option("--register", help="Add a version with this alias to MLflow's registry."),
    ] = None,
    engine: EngineOption = "auto",
    workspace: Annotated[Path, typer.Option(help="Folder with tracked runs.")] = WORKSPACE,
) -> None:
    """Write a model that other tools load, without torch and without a pickle.

    --register champion adds it to the server of MLFLOW_TRACKING_URI, or to the folder where
    trainings are tracked. The version belongs to the run of its training, if that was tracked.
    """
    from valence.service.classifier import seal
    from valence.service.score.recipe import ScorerRecipe
    from valence.training.tracking import registration

    if (out is None) == (alias is None):
        raise ConfigurationError("give --out FOLDER, or --register ALIAS")
    if out is not None and out.exists():
        raise ConfigurationError(f"{out} is there already; choose another folder, or delete it")
    recipe = ScorerRecipe.find(model, engine=engine)
    manifest = seal.verify(recipe.folder)
    try:
        if out is not None:
            registration.save_model(recipe, out)
            written = str(out)
        else:
            runs = workspace / "mlruns"
            written = registration.register_model(recipe, manifest, folder=runs, alias=str(alias))
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the format {form} needs {error.name}: pip install 'valence[{form}]'"
        ) from None
    typer.echo(written)
