from __future__ import annotations

import pytest
from valence.service.classifier import seal
from valence.service.score.recipe import ScorerRecipe
from valence.training.tracking import mlflow as runs
from valence.training.tracking.registration import register_model

pytestmark = [
    pytest.mark.integration,
    # MLflow warns of its own types, and of its own use of pandas
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove MLflow's variables after the test; never use the user's own server."""
    for name in [*runs.DEFAULTS, "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"]:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in runs.DEFAULTS.items():
        monkeypatch.setenv(name, value)


def test_a_version_has_its_alias_and_the_run_of_its_training(tiny_folder, tmp_path):
    from mlflow.tracking import MlflowClient

    folder = tmp_path / "mlruns"
    manifest = seal.verify(tiny_folder)
    client = MlflowClient(folder.as_uri())
    experiment = client.create_experiment(manifest.name)
    run = client.create_run(experiment, tags={"valence.version": manifest.version}).info.run_id
    client.set_terminated(run, "FINISHED")
    recipe = ScorerRecipe(tiny_folder, "native")

    first = register_model(recipe, manifest, folder=folder, alias="challenger")
    second = register_model(recipe, manifest, folder=folder, alias="champion")

    assert [first, second] == [f"models:/{manifest.name}/{number}" for number in (1, 2)]
    champion = client.get_model_version_by_alias(manifest.name, "champion")
    assert (str(champion.version), champion.run_id) == ("2", run)
    assert str(client.get_model_version_by_alias(manifest.name, "challenger").version) == "1"
    assert client.get_run(run).info.status == "FINISHED"
