from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pytest
from valence.service.errors import ConfigurationError
from valence.service.score.arrays import score_array
from valence.service.score.mlflow_model import TextModel, _load_pyfunc, describe_model
from valence.service.score.options import ScoreOptions
from valence.service.score.recipe import ScorerRecipe

TEXTS = ["good", None, "bad movie", "zzz"]
LOAD = """
import sys, mlflow, pandas
scores = mlflow.pyfunc.load_model(sys.argv[1]).predict(pandas.DataFrame({"text": ["good", ""]}))
print(*scores["label"], "torch" in sys.modules)
"""


@pytest.fixture
def model(tiny_folder) -> TextModel:
    return _load_pyfunc(str(tiny_folder), {"engine": "native"})


def test_a_table_becomes_the_scores_of_its_texts(tiny_folder, model):
    scorer = ScorerRecipe(tiny_folder, "native").make()
    found = model.predict(pd.DataFrame({"other": range(4), "text": TEXTS}))
    expected = score_array(pa.array(TEXTS), scorer)
    assert pa.RecordBatch.from_pandas(found, expected.schema, preserve_index=False) == expected


def test_what_is_missing_is_none_so_that_json_has_null(model):
    found = model.predict(pd.DataFrame({"text": ["good", ""]}))
    assert found["reason"].tolist() == [None, "empty"]
    assert found["tokens"].tolist() == [1, 0]
    json.dumps(found.to_dict(orient="records"), allow_nan=False)


def test_options_are_those_of_the_configuration(tiny_folder):
    config = {"engine": "native", "min_confidence": 1.0, "top_k": 1}
    found = _load_pyfunc(str(tiny_folder), config).predict(pd.DataFrame({"text": ["good"]}))
    assert found["label"].tolist() == ["uncertain"]
    with pytest.raises(ConfigurationError, match="model_config has batch; it may have engine"):
        _load_pyfunc(str(tiny_folder), {"batch": 1})


@pytest.mark.parametrize(
    ("table", "params", "told"),
    [
        ({"texts": ["good"]}, None, "no column 'text'; its columns are texts"),
        ({"text": [1.5]}, None, "the type double has no texts"),
        ({"text": ["good"]}, {"top_k": 1}, "takes no params, and top_k came; set model_config"),
    ],
)
def test_a_table_without_texts_is_refused(model, table, params, told):
    with pytest.raises(ConfigurationError, match=told):
        model.predict(pd.DataFrame(table), params)


# MLflow warns of its own types, and of its own use of pandas
@pytest.mark.filterwarnings("ignore")
@pytest.mark.integration
def test_mlflow_loads_the_model_without_torch_or_pickle(tiny_folder, tmp_path):
    from mlflow import pyfunc

    recipe = ScorerRecipe(tiny_folder, "native", ScoreOptions(unreadable="label"))
    pyfunc.save_model(tmp_path / "model", **describe_model(recipe))
    assert not list((tmp_path / "model").rglob("*.pkl"))
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "model")],
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    scorer = recipe.make()
    labels = score_array(pa.array(["good", ""]), scorer).column("label").to_pylist()
    assert done.stdout.split() == [*labels, "False"]
