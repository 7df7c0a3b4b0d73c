from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from valence.service.errors import ConfigurationError
from valence.service.registry import bento
from valence.service.settings import Settings

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


def test_the_bento_holds_the_versions_that_would_be_served(put) -> None:
    put("sentiment", "2")
    put("topic", "1")
    content = yaml.safe_load(bento.render_bentofile(Settings()))
    assert content["models"] == ["sentiment:2", "topic:1"]
    written = yaml.safe_load(bento.FILE.read_text())
    assert written["models"] == ["sentiment:latest", "topic:latest"]
    assert {**written, "models": content["models"]} == content


def test_the_bento_serves_the_configured_models(put) -> None:
    put("sentiment", "2")
    put("reviews", "7")
    content = yaml.safe_load(bento.render_bentofile(Settings(models=("reviews",))))
    assert content["models"] == ["reviews:7"]
    assert {"name": "VALENCE_MODELS", "value": "reviews"} in content["envs"]


@pytest.mark.usefixtures("put")
def test_with_a_source_the_bento_holds_no_model() -> None:
    content = yaml.safe_load(bento.render_bentofile(Settings(model_source="s3://bucket/models/")))
    assert content["models"] == []
    assert {"name": "VALENCE_MODEL_SOURCE", "value": "s3://bucket/models"} in content["envs"]
    with pytest.raises(ConfigurationError, match="belong in the environment"):
        bento.render_bentofile(Settings(model_source="s3://someone:secret@bucket/models"))


@pytest.mark.usefixtures("put")
def test_without_models_no_bento_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bento.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: the model store has none")


def test_the_context_holds_the_packages_as_they_are_imported(put, tmp_path) -> None:
    put("sentiment", "2")
    content = bento.render_bentofile(Settings())
    context = tmp_path / "context"
    context.mkdir()
    bento.lay_out_context(content, context)
    names = {path.relative_to(context).as_posix() for path in context.rglob("*")}
    assert {"valence/__init__.py", "valence/py.typed", "valence/service/app.py"} <= names
    assert not [n for n in names if "__pycache__" in n or n.endswith((".cpp", ".h"))]
    assert not names & {"valence/service/python", "valence/training"}
    requirements = yaml.safe_load(content)["python"]["requirements_txt"]
    assert (context / requirements).read_text() == bento.REQUIREMENTS.read_text()


def test_bentoml_build_alone_lacks_the_requirements() -> None:
    # so it ends with an error, rather than build a bento without code
    named = yaml.safe_load(bento.FILE.read_text())["python"]["requirements_txt"]
    assert "make-bento" in named
    assert not Path(named).exists()


def test_a_folder_without_a_bentofile_is_named(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"has no bentofile\.yaml.*clone"):
        bento.render_bentofile(Settings())
