"""A model as a function of Spark's columns."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from valence.service.machine.garbage import spare_loaded_objects
from valence.service.score.arrays import make_schema, score_array
from valence.service.score.options import ScoreOptions
from valence.service.score.packages import import_engine
from valence.service.score.recipe import Recipe, find_cluster_recipe
from valence.service.score.tables import make_scorer

if TYPE_CHECKING:
    import pyarrow

# types of Spark by those of Python
_TYPES = {str: "string", float: "double", int: "bigint", bool: "boolean"}


def classify_udf(
    model: str | os.PathLike[str],
    *,
    engine: str = "auto",
    options: ScoreOptions | None = None,
) -> Any:
    """A function of a column of texts, whose value is a struct with the columns of the scores.

    ``frame.withColumn("scores", classify_udf("sentiment")("text"))``. A null is an empty text. Each
    Python worker loads the model once, without torch. The arguments are those of
    :func:`~valence.service.score.recipe.find_cluster_recipe`, which raises what this raises; also
    :class:`ConfigurationError` without pyspark.
    """
    functions = import_engine("pyspark.sql.functions", extra="spark", what="classify_udf")
    recipe = find_cluster_recipe(model, engine=engine, options=options)
    types = make_scorer(recipe).types
    kind = ", ".join(f"`{name.replace('`', '``')}` {_TYPES[types[name]]}" for name in types)
    return functions.arrow_udf(
        _Function(recipe), f"struct<{kind}>", functions.ArrowUDFType.SCALAR_ITER
    )


@dataclass(frozen=True)
class _Function:
    """What Spark calls in a Python worker, with the arrays of a task one after another."""

    recipe: Recipe

    def __call__(self, arrays: Iterator[pyarrow.Array]) -> Iterator[pyarrow.Array]:
        scorer = make_scorer(self.recipe)
        # a worker runs many tasks
        if not gc.get_freeze_count():
            spare_loaded_objects()
        fields = list(make_schema(scorer))
        for array in arrays:
            scores = score_array(array, scorer)
            yield _make_struct(scores, fields)


def _make_struct(scores: pyarrow.RecordBatch, fields: list[pyarrow.Field]) -> pyarrow.Array:
    from pyarrow import StructArray

    return StructArray.from_arrays(scores.columns, fields=fields)
