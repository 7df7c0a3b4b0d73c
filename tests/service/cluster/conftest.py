"""A Spark of two executors and a Ray of two nodes, on loopback; a model whose answers are exact."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from valence.service.score.recipe import ScorerRecipe
from valence.service.score.tables import TableScorer

from tests.support.engine_tables import make_table, require_exact
from tests.support.tiny_models import save_tiny_model

ROWS = 20_000


@pytest.fixture(scope="session")
def exact_recipe(tmp_path_factory: pytest.TempPathFactory) -> ScorerRecipe:
    """A model of random weights that is large enough to round, on an engine that is exact."""
    folder = save_tiny_model(tmp_path_factory.mktemp("exact") / "sentiment", hidden_size=64)
    return ScorerRecipe(folder, require_exact())


@pytest.fixture(scope="session")
def table() -> pa.Table:
    """A table with keys and texts."""
    return make_table(ROWS)


@pytest.fixture(scope="session")
def scored(exact_recipe: ScorerRecipe, table: pa.Table) -> pa.Table:
    """The table as this process scores it."""
    return TableScorer(exact_recipe)(table)


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A session with two executors, each a process."""
    pytest.importorskip("pyspark")
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.master("local-cluster[2,1,1024]")
        options = {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "512m",
            "spark.executor.memory": "512m",
            "spark.sql.shuffle.partitions": "2",
            "spark.log.level": "ERROR",
            # a machine that is busy with other work is not a lost executor
            "spark.network.timeout": "600s",
            "spark.executor.heartbeatInterval": "60s",
            "spark.worker.timeout": "600",
            "spark.deploy.maxExecutorRetries": "-1",
        }
        for name, value in options.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        yield session
        session.stop()


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Any]:
    """A cluster of two nodes with a core each, to which this process is connected."""
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # the workers import the tests' package and Valence from where this process does
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path.cwd()), *sys.path]))
        import ray
        from ray.cluster_utils import Cluster

        # Ray would replace 127.0.0.1 by an address that other machines reach
        node = {"num_cpus": 1, "node_ip_address": "127.0.0.2", "object_store_memory": 2**27}
        cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        try:
            cluster.add_node(**node)
            ray.init(cluster.address, log_to_driver=False)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
