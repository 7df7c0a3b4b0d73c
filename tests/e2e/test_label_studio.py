"""The real Label Studio labels a task through Valence, and its export is data to train on.

``LABEL_STUDIO`` names its program; without it, `pip` installs it into an environment of the test's
own, which takes minutes::

    python -m pytest -m slow tests/e2e/test_label_studio.py
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from valence.service.annotation.choices import write_configuration
from valence.service.classifier import artifact
from valence.service.keys.key import fingerprint
from valence.training.config.columns import Columns
from valence.training.corpora import files

from tests.e2e.conftest import Server, _free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KEY = "valence_the-key-of-label-studio"
TEXTS = ["good good movie", "bad bad movie", "the movie was not good"]
_START_SECONDS = 900


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program of Label Studio."""
    given = os.environ.get("LABEL_STUDIO")
    if given:
        return given
    folder = tmp_path_factory.mktemp("label-studio")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "pip"), "install", "-q", "label-studio"], check=True)
    return str(folder / "bin" / "label-studio")


@pytest.fixture(scope="module")
def studio(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a running Label Studio with an empty database."""
    home, port, token = tmp_path_factory.mktemp("home"), _free_port(), secrets.token_hex(20)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "HOME": str(home),
        "COLLECT_ANALYTICS": "false",
        # Valence is on this machine
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
    }
    with (home / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [
                *(program, "start", "--no-browser", "--port", str(port), "--data-dir", str(home)),
                *("--internal-host", "127.0.0.1", "--username", "a@example.com"),
                *("--password", "a-password", "--user-token", token, "--enable-legacy-api-token"),
            ],
            env=environment,
            cwd=home,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Token {token}"},
            timeout=120,
        )
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _is_up(client):
                said = (home / "output.txt").read_text()
                assert process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.5)
            yield client
        finally:
            client.close()
            process.terminate()
            process.wait(30)


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/api/projects").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def keyed(bento: Path, serving: Callable, tmp_path_factory) -> Iterator[Server]:
    """A service that wants a key."""
    scratch = tmp_path_factory.mktemp("keyed")
    keys = scratch / "keys"
    keys.write_text(f"studio: sha256:{fingerprint(KEY.encode()).hex()}\n")
    settings = {"VALENCE_API_KEYS_FILE": str(keys)}
    with serving(bento, cwd=scratch, home=scratch / "home", **settings) as server:
        yield server


def connect(studio: httpx.Client, project: int, server: Server, password: str) -> httpx.Response:
    """Have Label Studio use the service for the tasks of a project."""
    return studio.post(
        "/api/ml",
        json={
            "project": project,
            "title": "Valence",
            "url": f"{server.url}/label-studio",
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": "studio",
            "basic_auth_pass": password,
        },
    )


def test_a_task_is_labelled_and_its_export_is_read(studio, keyed, save_tiny, tmp_path) -> None:
    manifest = artifact.load(save_tiny(tmp_path / "sentiment")).manifest
    project = studio.post(
        "/api/projects", json={"title": "Loop", "label_config": write_configuration(manifest)}
    ).raise_for_status()
    number = project.json()["id"]
    studio.post(f"/api/projects/{number}/import", json=[{"text": text} for text in TEXTS])
    assert connect(studio, number, keyed, "another").status_code == 400
    connect(studio, number, keyed, KEY).raise_for_status()
    studio.post(
        "/api/dm/actions",
        params={"id": "retrieve_tasks_predictions", "project": number},
        json={"selectedItems": {"all": True, "excluded": []}},
    ).raise_for_status()
    expected = httpx.post(
        f"{keyed.url}/v1/classify",
        json={"texts": TEXTS, "model": "sentiment"},
        headers={"X-API-Key": KEY},
    ).json()["results"]
    tasks = studio.get("/api/tasks", params={"project": number, "fields": "all"}).json()["tasks"]
    found = {}
    for task in tasks:
        (prediction,) = studio.get(f"/api/tasks/{task['id']}").json()["predictions"]
        found[task["data"]["text"]] = prediction
        assert prediction["model_version"].startswith("sentiment:")
    for text, result in zip(TEXTS, expected, strict=True):
        assert found[text]["result"][0]["value"] == {"choices": [result["label"]]}
        assert found[text]["score"] == pytest.approx(max(s["score"] for s in result["scores"]))
    # a person accepts what the model says
    for task in tasks:
        result = found[task["data"]["text"]]["result"]
        studio.post(f"/api/tasks/{task['id']}/annotations", json={"result": result})
    for form, name in (("CSV", "export.csv"), ("JSON_MIN", "export.json")):
        exported = studio.get(
            f"/api/projects/{number}/export", params={"exportType": form}
        ).raise_for_status()
        (tmp_path / name).write_bytes(exported.content)
        table = files.resolve_encoding(tmp_path / name, Columns("text", "label")).table
        read = {
            example.text: example.label
            for example in files.read_examples(tmp_path / name, table, corpus="export")
        }
        labels = [result["label"] for result in expected]
        assert read == dict(zip(TEXTS, labels, strict=True)), form


def test_a_project_of_other_labels_is_refused(studio, keyed) -> None:
    configuration = (
        '<View><Text name="text" value="$text"/><Choices name="label" toName="text">'
        '<Choice value="negative"/><Choice value="positive"/></Choices></View>'
    )
    project = studio.post(
        "/api/projects", json={"title": "Others", "label_config": configuration}
    ).json()
    assert connect(studio, project["id"], keyed, KEY).status_code == 400
