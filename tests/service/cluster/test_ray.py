"""Ray with two nodes; `make engines` runs these tests."""

from __future__ import annotations

import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from valence.service.cluster.ray import Classifier, find_scorer
from valence.service.errors import ConfigurationError
from valence.service.score.__main__ import main
from valence.service.score.ray_data import RayRun

from tests.support.engine_tables import assert_equal_scores, find_processes, kill_one

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ACTOR = "ray::MapWorker"


@pytest.fixture
def scorer(exact_recipe):
    return find_scorer(exact_recipe.folder, engine=exact_recipe.engine)


@pytest.fixture
def source(table, tmp_path):
    """The table in 20 files, each of which is a task."""
    folder = tmp_path / "in"
    folder.mkdir()
    step = len(table) // 20
    for number in range(20):
        pq.write_table(table.slice(number * step, step), folder / f"{number:02}.parquet")
    return folder


def collect(folder) -> pa.Table:
    """The rows in the order of the names of the files."""
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.iterdir())])


@pytest.mark.usefixtures("ray_cluster")
def test_the_command_gives_the_scores_of_one_process(
    source, exact_recipe, scored, tmp_path, capsys
):
    out = tmp_path / "out"
    given = ["--model", str(exact_recipe.folder), "--engine", f"ray:{exact_recipe.engine}"]
    main([str(source), str(out), *given, "--jobs", "2"])
    assert_equal_scores(collect(out), scored)
    assert f"{len(scored):,} rows: {out}" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="1"):
        main([str(source), str(out), *given])
    assert "is there already; choose another folder" in capsys.readouterr().err


def test_the_class_scores_batches_on_both_nodes(ray_cluster, scorer, table, scored):
    import ray

    class Telling(Classifier):
        def __call__(self, batch: pa.Table) -> pa.Table:
            import sys

            from valence.service.score.tables import make_scorer

            node = ray.get_runtime_context().get_node_id()
            answer = super().__call__(batch)
            loads = make_scorer.cache_info().misses
            told = [f"{node} {loads} {'torch' in sys.modules}"] * len(batch)
            return answer.append_column("told", pa.array(told))

    data = ray.data.from_arrow([table.slice(start, 1_000) for start in range(0, len(table), 1_000)])
    found = data.map_batches(
        Telling,
        fn_constructor_args=[scorer],
        batch_format="pyarrow",
        batch_size=1_000,
        num_cpus=0.6,
        compute=ray.data.ActorPoolStrategy(size=2),
    )
    rows = pa.concat_tables(ray.get(found.to_arrow_refs())).sort_by("key")
    assert_equal_scores(rows.drop_columns("told"), scored)
    told = {text.partition(" ")[::2] for text in rows["told"].unique().to_pylist()}
    assert len({node for node, _ in told}) == 2
    assert {rest for _, rest in told} == {"1 False"}


@pytest.mark.usefixtures("ray_cluster")
def test_a_killed_actor_loses_nothing(source, scorer, scored, tmp_path):
    out = tmp_path / "out"
    done: list[int] = []
    failures: list[BaseException] = []

    def write() -> None:
        try:
            done.append(RayRun(str(source), str(out), scorer, actors=2).score())
        except BaseException as error:
            failures.append(error)

    work = threading.Thread(target=write)
    work.start()
    kill_one(
        lambda: find_processes(ACTOR),
        # the folder that becomes `out` has files
        when=lambda: any(tmp_path.glob("*/out/*.parquet")),
    )
    assert work.is_alive(), "the work ended before the actor was killed"
    work.join()
    assert not failures
    assert done == [len(scored)]
    assert_equal_scores(collect(out), scored)


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"texts": ["good"]}, "no column 'text'; its columns are texts"),
        ({"text": [1.5]}, "the type double, not texts"),
        ({"text": ["good"], "label": ["a"]}, "already has a column 'label'; set a prefix"),
        (None, "Ray cannot read this as Parquet"),
    ],
)
def test_what_cannot_be_scored_is_refused_at_once(scorer, tmp_path, columns, told):
    source = tmp_path / "in.parquet"
    source.write_text("no table") if columns is None else pq.write_table(pa.table(columns), source)
    with pytest.raises(ConfigurationError, match=told):
        RayRun(str(source), str(tmp_path / "out"), scorer).score()
    assert not (tmp_path / "out").exists()
