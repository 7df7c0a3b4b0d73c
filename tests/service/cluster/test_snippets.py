"""The snippets of the guide to engines run, on two executors and two nodes."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
PAGE = Path(__file__).parents[3] / "docs" / "guide" / "engines.md"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch, save_tiny):
    """A model in a store in the current folder, and reviews."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENTOML_HOME")
    store = tmp_path / ".valence" / "bentoml" / "models" / "sentiment"
    store.mkdir(parents=True)
    (store / "latest").write_text("1")
    save_tiny(store / "1")
    pq.write_table(pa.table({"text": ["good movie", None, "bad"]}), "reviews.parquet")


@pytest.mark.parametrize(
    ("engine", "cluster", "out"),
    [("spark", "spark", "scored-by-spark"), ("ray", "ray_cluster", "scored-by-ray")],
)
def test_a_snippet_scores_the_reviews(engine, cluster, out, request, tmp_path):
    request.getfixturevalue(cluster)
    snippets = re.findall(r"^```py\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (snippet,) = [text for text in snippets if f"from valence.{engine} import" in text]
    # the executors have another current folder
    for name in ("reviews", "scored"):
        snippet = snippet.replace(f'"{name}', f'"{tmp_path}/{name}')
    exec(compile(snippet, str(PAGE), "exec"), {})
    found = pa.concat_tables([pq.read_table(path) for path in (tmp_path / out).glob("*.parquet")])
    assert found.num_rows == 3
    assert "label" in found.column_names
