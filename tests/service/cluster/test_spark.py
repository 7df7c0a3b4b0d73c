"""Spark with two executors; `make engines` runs these tests."""

from __future__ import annotations

import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from valence.service.cluster.spark import classify_udf

from tests.support.engine_tables import assert_equal_scores, find_processes, kill_one

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
EXECUTOR = "CoarseGrainedExecutorBackend"


@pytest.fixture
def classify(exact_recipe):
    pytest.importorskip("pyspark")
    return classify_udf(exact_recipe.folder, engine=exact_recipe.engine)


@pytest.fixture
def frame(spark, table, tmp_path):
    """The table in 20 files, each of which is a task."""
    (tmp_path / "in").mkdir()
    step = len(table) // 20
    for number in range(20):
        pq.write_table(table.slice(number * step, step), tmp_path / "in" / f"{number:02}.parquet")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "16k")
    spark.conf.set("spark.sql.files.openCostInBytes", "0")
    return spark.read.parquet(str(tmp_path / "in"))


def collect(folder, scored) -> pa.Table:
    found = pq.read_table(folder).sort_by("key")
    assert found.column_names == scored.column_names
    return found


def test_executors_give_the_scores_of_one_process(frame, classify, scored, tmp_path):
    scores = frame.withColumn("scores", classify("text")).select("*", "scores.*").drop("scores")
    scores.write.parquet(str(tmp_path / "out"))
    assert_equal_scores(collect(tmp_path / "out", scored), scored)


def test_a_killed_executor_loses_nothing(spark, frame, classify, scored, tmp_path):
    scores = frame.withColumn("scores", classify("text")).select("*", "scores.*").drop("scores")
    status = spark.sparkContext.statusTracker()
    gateway = spark.sparkContext._gateway.proc.pid
    failures: list[BaseException] = []

    def write() -> None:
        try:
            scores.write.parquet(str(tmp_path / "out"))
        except BaseException as error:
            failures.append(error)

    def some_done() -> bool:
        stages = map(status.getStageInfo, status.getActiveStageIds())
        return any(stage and stage.numCompletedTasks >= 2 for stage in stages)

    before = find_processes(EXECUTOR, within=gateway)
    assert len(before) == 2
    work = threading.Thread(target=write)
    work.start()
    killed = kill_one(lambda: before, when=some_done)
    assert work.is_alive(), "the work ended before the executor was killed"
    work.join()
    assert not failures
    assert killed not in find_processes(EXECUTOR, within=gateway)
    assert_equal_scores(collect(tmp_path / "out", scored), scored)


def test_a_worker_loads_the_model_once_and_no_torch(spark, frame, exact_recipe):
    def look(batches):
        import sys

        from valence.service.score.tables import TableScorer, make_scorer

        scorer = TableScorer(exact_recipe)
        for batch in batches:
            scorer(pa.Table.from_batches([batch]))
            yield pa.RecordBatch.from_pydict(
                {
                    "loads": [make_scorer.cache_info().misses],
                    "torch": ["torch" in sys.modules],
                }
            )

    rows = frame.mapInArrow(look, "loads long, torch boolean").distinct().collect()
    assert [(row.loads, row.torch) for row in rows] == [(1, False)]
