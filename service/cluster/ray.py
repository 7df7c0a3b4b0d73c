"""A model for the batches of Ray Data."""

from __future__ import annotations

import os

from valence.service.score.options import ScoreOptions
from valence.service.score.ray_data import Classifier
from valence.service.score.recipe import find_cluster_recipe
from valence.service.score.tables import TableScorer

__all__ = ["Classifier", "find_scorer"]


def find_scorer(
    model: str | os.PathLike[str],
    *,
    text_column: str = "text",
    prefix: str = "",
    engine: str = "auto",
    options: ScoreOptions | None = None,
) -> TableScorer:
    """What the constructor of :class:`Classifier` takes: the same version in each actor.

    ``text_column`` has the texts, and ``prefix`` comes before the names of the columns of the
    scores. The other arguments, and what is raised, are those of
    :func:`~valence.service.score.recipe.find_cluster_recipe`.
    """
    recipe = find_cluster_recipe(model, engine=engine, options=options)
    return TableScorer(recipe, text_column, prefix)
