"""What MLflow's own server and its function for Spark answer; `make engines` runs these tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from valence.service.classifier import seal
from valence.training.tracking import registration

from tests.support.engine_tables import assert_equal_scores, find_free_port, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
MODEL = "models:/sentiment@champion"
ROWS = 500


@pytest.fixture(scope="module")
def registry(exact_recipe, tmp_path_factory):
    """The address of a registry whose champion is the model."""
    pytest.importorskip("mlflow.server", reason="needs the whole of mlflow")
    folder = tmp_path_factory.mktemp("mlflow")
    manifest = seal.verify(exact_recipe.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        patch.setenv("MLFLOW_TRACKING_URI", (folder / "mlruns").as_uri())
        written = registration.register_model(
            exact_recipe, manifest, folder=folder / "mlruns", alias="champion"
        )
        assert written == "models:/sentiment/1"
        yield os.environ["MLFLOW_TRACKING_URI"]


@pytest.fixture
def server(registry, tmp_path):
    """The port of `mlflow models serve`."""
    port = find_free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", MODEL]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    # as in an active environment: MLflow's server calls uvicorn by its name
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=os.environ | {"PATH": programs}, stdout=file, stderr=file
        )
    try:
        wait_until(lambda: _answers(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield port
    finally:
        process.terminate()
        process.wait(30)


def test_the_server_of_mlflow_gives_the_scores(server, table, scored):
    import httpx

    some = table.slice(0, ROWS)
    rows = [[text] for text in some["text"].to_pylist()]
    answer = httpx.post(
        f"http://127.0.0.1:{server}/invocations",
        json={"dataframe_split": {"columns": ["text"], "data": rows}},
        timeout=300,
    )
    assert answer.status_code == 200, answer.text
    expected = scored.slice(0, ROWS).drop_columns(some.column_names)
    found = pa.Table.from_pylist(answer.json()["predictions"], schema=expected.schema)
    assert_equal_scores(found, expected)


def test_the_function_for_spark_gives_the_scores(registry, spark, table, scored, tmp_path):
    import mlflow

    pq.write_table(table.slice(0, ROWS), tmp_path / "in.parquet", row_group_size=100)
    mlflow.set_tracking_uri(registry)
    classify = mlflow.pyfunc.spark_udf(spark, MODEL, env_manager="local")
    frame = spark.read.parquet(str(tmp_path / "in.parquet"))
    scores = frame.withColumn("scores", classify("text")).select("*", "scores.*").drop("scores")
    scores.write.parquet(str(tmp_path / "out"))
    found = pq.read_table(tmp_path / "out").sort_by("key")
    assert_equal_scores(found, _name_missing(scored.slice(0, ROWS)))


def _name_missing(table: pa.Table) -> pa.Table:
    """``table`` as MLflow's function gives it, which makes a missing text the text "None".

    It does so in a column of the scores that has a text.
    """
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if field.name != "text" and field.type == pa.string() and column.null_count < len(column):
            table = table.set_column(index, field, column.fill_null("None"))
    return table


def _answers(port: int) -> bool:
    import httpx

    try:
        return httpx.get(f"http://127.0.0.1:{port}/ping").status_code == 200
    except httpx.TransportError:
        return False
