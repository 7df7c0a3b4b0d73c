from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pyarrow as pa
import pytest
from valence.service.errors import ConfigurationError
from valence.service.score import tables
from valence.service.score.arrays import score_array
from valence.service.score.recipe import ScorerRecipe
from valence.service.score.tables import TableScorer

TEXTS = ["good", None, "bad movie", "zzz", "good"]
TABLE = pa.table({"number": range(5), "text": TEXTS})


@pytest.fixture
def recipe(tiny_folder) -> ScorerRecipe:
    return ScorerRecipe(tiny_folder, "native")


def test_a_table_gets_the_scores_of_its_rows(recipe):
    scores = score_array(pa.array(TEXTS), recipe.make())
    found = TableScorer(recipe, prefix="p_")(TABLE)
    assert found.select(["number", "text"]).equals(TABLE)
    assert found.column_names[2:] == [f"p_{name}" for name in scores.schema.names]
    for name in scores.schema.names:
        assert found.column(f"p_{name}").combine_chunks().equals(scores.column(name))


def test_batches_keep_their_rows_and_order(recipe):
    empty = TABLE.slice(0, 0).to_batches() or [pa.RecordBatch.from_pylist([], TABLE.schema)]
    batches = [*TABLE.slice(0, 2).to_batches(), *empty, *TABLE.slice(2).to_batches()]
    found = pa.Table.from_batches(TableScorer(recipe).score_batches(iter(batches)))
    assert found.select(["number", "text"]).equals(TABLE)
    assert found.column("label").to_pylist() == TableScorer(recipe)(TABLE)["label"].to_pylist()


def test_a_process_loads_a_model_once(recipe, monkeypatch):
    tables.make_scorer.cache_clear()
    made = []
    make = ScorerRecipe.make
    monkeypatch.setattr(ScorerRecipe, "make", lambda self: made.append(self) or make(self))
    for _ in range(3):
        pickle.loads(pickle.dumps(TableScorer(recipe)))(TABLE)
    assert made == [recipe]


def test_another_process_gives_the_same_scores(recipe):
    scorer = TableScorer(recipe)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(scorer, TABLE).result().equals(scorer(TABLE))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (pa.table({"texts": TEXTS}), "no column 'text'; its columns are texts"),
        (pa.table({"text": TEXTS, "label": TEXTS}), "already has a column 'label'; set a prefix"),
        (pa.table({"text": [1, 2]}), "the type int64 has no texts"),
    ],
)
def test_a_table_that_cannot_be_scored_is_refused(recipe, table, told):
    with pytest.raises(ConfigurationError, match=told):
        TableScorer(recipe)(table)
