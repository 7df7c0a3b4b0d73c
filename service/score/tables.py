"""Scores beside the rows of Arrow tables: what engines of data call in each of their processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from valence.service.errors import ConfigurationError
from valence.service.score.arrays import score_array
from valence.service.score.recipe import Recipe
from valence.service.score.texts import TextScorer

if TYPE_CHECKING:
    import pyarrow

# the models that a process keeps
_MODELS = 4


@dataclass(frozen=True)
class TableScorer:
    """Adds the columns of the scores to tables; ``prefix`` comes before their names.

    It is small when it is sent to another process. That process loads the model at the first table,
    once for all tables. So it is a function for ``map_batches`` of Ray Data with the batch format
    ``pyarrow``, and :meth:`score_batches` is one for ``mapInArrow`` of Spark.
    """

    recipe: Recipe
    text_column: str = "text"
    prefix: str = ""

    def __call__(self, table: pyarrow.Table) -> pyarrow.Table:
        """``table`` with the scores of its texts, row for row.

        Raises :class:`ConfigurationError` for a table without the column of texts, and for one that
        has a column of the scores already.
        """
        texts = self._find_texts(table)
        scores = score_array(texts, make_scorer(self.recipe))
        for field, column in zip(scores.schema, scores.columns, strict=True):
            name = f"{self.prefix}{field.name}"
            if name in table.column_names:
                raise ConfigurationError(
                    f"the table already has a column {name!r}; set a prefix for the added columns"
                )
            table = table.append_column(field.with_name(name), column)
        return table

    def score_batches(
        self, batches: Iterable[pyarrow.RecordBatch]
    ) -> Iterator[pyarrow.RecordBatch]:
        """As a call, for one record batch after another."""
        import pyarrow

        for batch in batches:
            scored = self(pyarrow.Table.from_batches([batch]))
            yield from scored.combine_chunks().to_batches()

    def _find_texts(self, table: pyarrow.Table) -> pyarrow.ChunkedArray:
        if self.text_column not in table.column_names:
            raise ConfigurationError(
                f"the table has no column {self.text_column!r}; its columns are "
                f"{', '.join(table.column_names)}"
            )
        return table.column(self.text_column)


@lru_cache(_MODELS)
def make_scorer(recipe: Recipe) -> TextScorer:
    """The scorer of ``recipe``, made once in each process."""
    return recipe.make()
