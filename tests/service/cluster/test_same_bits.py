"""Six ways to score the same rows give equal labels and probabilities; `make engines` runs this.

``ROWS=1000000`` sets the number of rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from valence.service.cluster.ray import find_scorer
from valence.service.cluster.spark import classify_udf
from valence.service.score import run
from valence.service.score.jobs import Jobs
from valence.service.score.mlflow_model import describe_model
from valence.service.score.options import Options
from valence.service.score.ray_data import RayRun

from tests.support.engine_tables import (
    assert_equal_scores,
    find_free_port,
    make_table,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ROWS = int(os.environ.get("VALENCE_TEST_ROWS", "100000"))
_LINES = 20_000


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "in.parquet"
    pq.write_table(make_table(ROWS), path, row_group_size=max(1, ROWS // 20))
    return path


@pytest.fixture(scope="module")
def one(source, exact_recipe):
    """The table that one process writes."""
    return pq.read_table(score(source, source.with_name("one.parquet"), exact_recipe, 1))


def score(source, out, recipe, count):
    jobs = Jobs(count, recipe) if count > 1 else None
    options = Options("text", "parquet", "parquet")
    run.score_file(source, out, scorer=recipe.make(), options=options, jobs=jobs)
    return out


def test_two_jobs(source, one, exact_recipe, tmp_path):
    out = score(source, tmp_path / "two.parquet", exact_recipe, 2)
    assert out.read_bytes() == source.with_name("one.parquet").read_bytes()
    assert one.num_rows == ROWS


@pytest.mark.usefixtures("ray_cluster")
def test_ray(source, one, exact_recipe, tmp_path):
    scorer = find_scorer(exact_recipe.folder, engine=exact_recipe.engine)
    assert RayRun(str(source), str(tmp_path / "out"), scorer, actors=2).score() == ROWS
    files = sorted((tmp_path / "out").iterdir())
    assert_equal_scores(pa.concat_tables(map(pq.read_table, files)), one)


def test_spark(spark, source, one, exact_recipe, tmp_path):
    classify = classify_udf(exact_recipe.folder, engine=exact_recipe.engine)
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(source.stat().st_size // 8))
    frame = spark.read.parquet(str(source)).withColumn("scores", classify("text"))
    frame.select("*", "scores.*").drop("scores").write.parquet(str(tmp_path / "out"))
    assert_equal_scores(pq.read_table(tmp_path / "out").sort_by("key"), one)


def test_mlflow(source, one, exact_recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    pyfunc = pytest.importorskip("mlflow.pyfunc")
    pyfunc.save_model(tmp_path / "model", **describe_model(exact_recipe))
    model = pyfunc.load_model(str(tmp_path / "model"))
    texts = pq.read_table(source).select(["text"])
    schema = pa.schema([field for field in one.schema if field.name not in ("key", "text")])
    parts = [
        pa.Table.from_pandas(model.predict(part.to_pandas()), schema, preserve_index=False)
        for part in (texts.slice(start, 50_000) for start in range(0, ROWS, 50_000))
    ]
    assert_equal_scores(pa.concat_tables(parts), one.select(schema.names))


@pytest.fixture
def server(exact_recipe, tmp_path) -> Iterator[int]:
    """The port of a server with the model."""
    pytest.importorskip("bentoml")
    store = tmp_path / "home" / "models" / "sentiment"
    command = (
        "import bentoml, shutil, sys\n"
        "with bentoml.models.create('sentiment:1') as model:\n"
        "    shutil.copytree(sys.argv[1], model.path, dirs_exist_ok=True)"
    )
    environment = os.environ | {
        "BENTOML_HOME": str(tmp_path / "home"),
        "VALENCE_MODELS": "sentiment",
        "VALENCE_ENGINE": exact_recipe.engine,
    }
    subprocess.run(
        [sys.executable, "-c", command, str(exact_recipe.folder)], env=environment, check=True
    )
    assert store.is_dir()
    port = find_free_port()
    serve = [sys.executable, "-m", "bentoml", "serve", "valence.service.app:Valence"]
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*serve, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=file,
            stderr=file,
        )
    try:
        wait_until(lambda: _is_ready(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield port
    finally:
        process.terminate()
        process.wait(30)


def test_http(server, source, one, exact_recipe):
    """The labels, and the probabilities in the digits that an answer has."""
    import httpx

    labels = exact_recipe.make().classifier.manifest.labels
    texts = pq.read_table(source)["text"].to_pylist()
    place = 0
    names = ["label", *(f"probability_{label}" for label in labels)]
    expected = list(zip(*(one[name].to_pylist() for name in names), strict=True))
    for start in range(0, ROWS, _LINES):
        some = texts[start : start + _LINES]
        body = b"".join(json.dumps({"text": text or ""}).encode() + b"\n" for text in some)
        address = f"http://127.0.0.1:{server}/v1/classify/stream"
        kind = {"Content-Type": "application/x-ndjson"}
        with httpx.stream("POST", address, content=body, headers=kind, timeout=600) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                found = json.loads(line)
                scores = {entry["label"]: entry["score"] for entry in found["scores"]}
                row = (found["label"], *(scores[label] for label in labels))
                assert row == expected[place], place
                place += 1
    assert place == ROWS


def _is_ready(port: int) -> bool:
    import httpx

    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False
