"""A model in the format of MLflow: this module as its loader, the folder of the model as its data.

MLflow imports this module where it loads the model, in a server, a notebook or a job of Spark.
There is no pickle, and no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valence.service.errors import ConfigurationError
from valence.service.files.parquet import import_pyarrow
from valence.service.score.arrays import score_array
from valence.service.score.options import ScoreOptions
from valence.service.score.recipe import ScorerRecipe
from valence.service.version import VERSION

if TYPE_CHECKING:
    import pandas
    import pyarrow
    from mlflow.models import ModelSignature
    from valence.service.score.texts import TextScorer

COLUMN = "text"
# types of MLflow by those of Python
_TYPES = {str: "string", float: "double", int: "long", bool: "boolean"}


class TextModel:
    """What MLflow calls: a table with the column ``text`` in, a table of scores out."""

    def __init__(self, scorer: TextScorer) -> None:
        self._scorer = scorer

    def predict(
        self, model_input: pandas.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pandas.DataFrame:
        """The scores of each text, in order, with the columns of ``valence score``.

        Raises :class:`ConfigurationError` for a table without the column.
        """
        if params:
            raise ConfigurationError(
                f"this model takes no params, and {', '.join(params)} came; set model_config where "
                "the model is loaded"
            )
        if COLUMN not in model_input:
            raise ConfigurationError(
                f"the table has no column {COLUMN!r}; its columns are "
                f"{', '.join(map(str, model_input))}"
            )
        texts = import_pyarrow().Array.from_pandas(model_input[COLUMN])
        return _make_frame(score_array(texts, self._scorer))


def _make_frame(scores: pyarrow.RecordBatch) -> pandas.DataFrame:
    """``scores`` with None for what is missing: MLflow writes a NaN of pandas as NaN, not JSON."""
    import pandas

    frame = scores.to_pandas()
    for name, column in zip(scores.schema.names, scores.columns, strict=True):
        if column.null_count:
            frame[name] = pandas.Series(column.to_pylist(), dtype=object)
    return frame


def _load_pyfunc(data_path: str, model_config: Mapping[str, Any] | None = None) -> TextModel:
    """Load a model; MLflow calls it by this name."""
    given = dict(model_config or {})
    engine = given.pop("engine", "auto")
    unknown = given.keys() - asdict(ScoreOptions()).keys()
    if unknown:
        raise ConfigurationError(
            f"model_config has {', '.join(sorted(unknown))}; it may have engine, "
            f"{', '.join(asdict(ScoreOptions()))}"
        )
    return TextModel(ScorerRecipe(Path(data_path), engine, ScoreOptions(**given)).make())


def describe_model(recipe: ScorerRecipe) -> dict[str, Any]:
    """What MLflow's ``save_model`` and ``log_model`` take for the model of ``recipe``."""
    import pandas

    return {
        "loader_module": __name__,
        "data_path": str(recipe.folder),
        "signature": _make_signature(recipe),
        "input_example": pandas.DataFrame({COLUMN: ["a text"]}),
        "model_config": {"engine": recipe.engine, **asdict(recipe.options)},
        "pip_requirements": [f"valence[mlflow]=={VERSION}"],
    }


def _make_signature(recipe: ScorerRecipe) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    # the columns do not depend on the engine
    scorer = replace(recipe, engine="auto").make()
    return ModelSignature(
        inputs=Schema([ColSpec("string", COLUMN)]),
        outputs=Schema(
            [
                # a text that cannot be scored has an error alone
                ColSpec(_TYPES[kind], name, required=False)
                for name, kind in scorer.types.items()
            ]
        ),
    )
