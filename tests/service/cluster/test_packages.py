from __future__ import annotations

import subprocess
import sys

import pytest
from valence.service.cluster.spark import classify_udf
from valence.service.errors import ConfigurationError
from valence.service.score.__main__ import main


@pytest.fixture(autouse=True)
def _without_engines(monkeypatch):
    for name in ("ray", "ray.data", "pyspark", "pyspark.sql.functions"):
        monkeypatch.setitem(sys.modules, name, None)


def test_spark_names_its_extra(tiny_folder):
    with pytest.raises(ConfigurationError, match=r"classify_udf needs pyspark.*valence\[spark\]"):
        classify_udf(tiny_folder)


def test_the_command_names_the_extra_of_ray(tiny_folder, tmp_path, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["in", str(tmp_path / "out"), "--model", str(tiny_folder), "--engine", "ray"])
    said = capsys.readouterr().err
    assert said.startswith("error: --engine ray needs ray, which is not installed: pip install")
    assert "valence[ray]" in said


def test_an_option_that_means_nothing_to_ray_is_refused(tiny_folder, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["in", "out", "--model", str(tiny_folder), "--engine", "ray", "--encoding", "cp1252"])
    assert "--encoding cannot be used with --engine ray" in capsys.readouterr().err


def test_the_modules_of_users_import_no_engine():
    code = (
        "import sys, valence.ray, valence.spark\n"
        "print(sorted({'ray', 'pyspark', 'pyarrow', 'torch', 'bentoml'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
