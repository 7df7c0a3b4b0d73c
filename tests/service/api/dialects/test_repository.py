"""The model repository extension, by operators alone; also as Triton's own client sends it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from valence.service.inference.footprint import estimate_bytes
from valence.service.keys.key import fingerprint
from valence.training.registry import store as registry

from tests.support.model_stores import models_in, put_model

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
OPERATOR = {"X-API-Key": "of-operator"}


@pytest.fixture
def keys(tmp_path: Path) -> str:
    file = tmp_path / "keys"
    file.write_text(
        "".join(
            f"{name}: sha256:{fingerprint(f'of-{name}'.encode()).hex()} scopes={scopes}\n"
            for name, scopes in (("operator", "admin"), ("client", "classify,metrics"))
        )
    )
    return str(file)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """Yield a store of which version 1 of ``sentiment`` is served."""
    with models_in(tmp_path / "models"):
        put_model("sentiment", "1")
        put_model("sentiment", "2", seed=2)
        put_model("topic", "1", seed=3)
        yield tmp_path / "models"


@pytest.fixture
def served(serve, store, keys):
    assert store.is_dir()
    return serve(api_keys_file=keys, reload_slowdown=1e6)


async def change(served, deed, name, **body):
    return await served.client.post(
        f"/v2/repository/models/{name}/{deed}", json=body, headers=OPERATOR
    )


async def index(served, **body):
    answer = await served.client.post("/v2/repository/index", json=body, headers=OPERATOR)
    assert answer.status_code == 200
    return [(one["name"], one["version"], one["state"]) for one in answer.json()]


async def classify(served, model):
    return await served.client.post(
        "/v1/classify", json={"text": "good", "model": model}, headers=OPERATOR
    )


async def test_a_version_answers_from_its_load_to_its_unload(served):
    assert await index(served) == [
        ("sentiment", "1", "READY"),
        ("sentiment", "2", "UNAVAILABLE"),
        ("topic", "1", "UNAVAILABLE"),
    ]
    loaded = await change(served, "load", "sentiment:2")
    assert (loaded.status_code, loaded.json()) == (200, {"name": "sentiment", "version": "2"})
    assert await index(served, ready=True) == [
        ("sentiment", "1", "READY"), ("sentiment", "2", "READY"),
    ]  # fmt: skip
    first, second = await classify(served, "sentiment:1"), await classify(served, "sentiment:2")
    assert second.json()["model"] == {"name": "sentiment", "version": "2"}
    assert first.json()["results"] != second.json()["results"]
    metadata = await served.client.get("/v2/models/sentiment", headers=OPERATOR)
    assert metadata.json()["versions"] == ["1", "2"]
    unloaded = await change(
        served, "unload", "sentiment:2", parameters={"unload_dependents": False}
    )
    assert unloaded.status_code == 200
    assert (await classify(served, "sentiment:2")).status_code == 404
    assert await index(served, ready=True) == [("sentiment", "1", "READY")]


async def test_a_model_that_was_not_served_is_loaded_by_its_name(served):
    assert (await classify(served, "topic")).status_code == 404
    assert (await change(served, "load", "topic")).json() == {"name": "topic", "version": "1"}
    assert (await classify(served, "topic")).json()["model"]["version"] == "1"
    assert (await change(served, "unload", "topic")).status_code == 200
    assert (await classify(served, "topic")).status_code == 404


async def test_a_look_does_not_load_again_what_is_unloaded(served):
    registry.set_alias("topic@blue", "1")
    reloads = served.app.context.reloads
    for wait in range(4):
        assert (await change(served, "load", "topic")).status_code == 200
        looking = asyncio.create_task(reloads.look())
        for _ in range(wait):
            await asyncio.sleep(0.001)
        assert (await change(served, "unload", "topic")).status_code == 200
        await looking
        assert (await classify(served, "topic")).status_code == 404
        assert (await classify(served, "topic@blue")).status_code == 404
        assert served.models.names == ("sentiment",)


async def test_a_request_of_a_client_loads_nothing(served):
    for model in ("sentiment:2", "topic", "sentiment@blue", "topic:1"):
        answer = await classify(served, model)
        assert answer.status_code == 404
        assert "is not served; the served models are sentiment:1" in answer.json()["detail"]
        path = f"/v2/models/{model.replace(':', '/versions/')}/infer"
        assert (await served.client.post(path, json={}, headers=OPERATOR)).status_code == 404
    assert await index(served, ready=True) == [("sentiment", "1", "READY")]


@pytest.mark.parametrize(
    ("deed", "name", "body", "status", "said"),
    [
        ("load", "other", {}, 404, "does not have 'other'"),
        ("load", "sentiment:9", {}, 404, "it has sentiment:1, sentiment:2"),
        ("load", "..", {}, 404, "does not have"),
        ("load", "sentiment@blue", {}, 409, "valence alias set sentiment@blue"),
        ("load", "sentiment", {"parameters": {"config": "{}"}}, 422, "parameters.config"),
        ("load", "sentiment", {"files": {}}, 422, "files"),
        ("unload", "sentiment", {}, 409, "VALENCE_DEFAULT_MODEL"),
        ("unload", "sentiment:1", {}, 409, "is what sentiment means"),
        ("unload", "sentiment:2", {}, 404, "is not served"),
        ("unload", "topic", {}, 404, "is not served"),
        ("unload", "sentiment", {"parameters": {"unload_dependents": 1}}, 422, "leave"),
    ],
)
async def test_what_cannot_be_is_told_and_changes_nothing(served, deed, name, body, status, said):
    answer = await change(served, deed, name.replace("..", "%2e%2e"), **body)
    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert await index(served, ready=True) == [("sentiment", "1", "READY")]


async def test_an_alias_is_neither_unloaded_nor_are_its_versions(served):
    registry.set_alias("sentiment@blue", "2")
    assert (await change(served, "load", "sentiment@blue")).json()["version"] == "2"
    for name, said in (
        ("sentiment@blue", "valence alias delete sentiment@blue"),
        ("sentiment:2", "is what sentiment@blue means"),
    ):
        answer = await change(served, "unload", name)
        assert answer.status_code == 409
        assert said in answer.json()["error"]
    assert (await classify(served, "sentiment@blue")).json()["model"]["version"] == "2"


async def test_a_damaged_version_is_refused(served, store):
    (store / "sentiment" / "2" / "vocabulary.txt").write_text("<unk>\n")
    answer = await change(served, "load", "sentiment:2")
    assert answer.status_code == 409
    assert "vocabulary.txt" in answer.json()["error"]
    assert (await classify(served, "sentiment")).status_code == 200


async def test_the_longest_unused_version_gives_way(serve, store, keys):
    assert store.is_dir()
    served = serve(api_keys_file=keys, reload_slowdown=1e6)
    size = estimate_bytes(served.models.get().manifest.architecture)
    object.__setattr__(served.app.context.settings, "resident_mib", size * 3.5 / 2**20)
    for version in ("3", "4"):
        put_model("sentiment", version, seed=int(version))
    for version in ("2", "3"):
        assert (await change(served, "load", f"sentiment:{version}")).status_code == 200
    assert (await classify(served, "sentiment:2")).status_code == 200
    assert (await change(served, "load", "sentiment:4")).status_code == 200
    ready = [version for _, version, _ in await index(served, ready=True)]
    assert ready == ["1", "2", "4"]
    registry.set_alias("sentiment@a", "2")
    registry.set_alias("sentiment@b", "4")
    await served.app.context.reloads.look()
    answer = await change(served, "load", "sentiment:3")
    assert answer.status_code == 409
    assert "VALENCE_RESIDENT_MIB" in answer.json()["error"]


async def test_only_operators_may_list_load_and_unload(served, serve):
    for path in ("index", "models/topic/load", "models/sentiment/unload"):
        for client, headers, status in (
            (served.client, {}, 401),
            (served.client, {"X-API-Key": "of-client"}, 403),
            (serve().client, {}, 403),
        ):
            answer = await client.post(f"/v2/repository/{path}", headers=headers)
            assert answer.status_code == status
            assert answer.json()["error"]


async def test_several_workers_refuse_and_name_aliases(served, monkeypatch):
    monkeypatch.setattr(type(served.metrics), "shared", True)
    for deed in ("load", "unload"):
        answer = await change(served, deed, "sentiment:2")
        assert answer.status_code == 409
        assert "valence alias set" in answer.json()["error"]


TRITON = """
import json, sys
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException
client = http.InferenceServerClient(sys.argv[1])
key = {"X-API-Key": "of-operator"}
def ask(model, version=""):
    given = http.InferInput("text", [1], "BYTES")
    given.set_data_from_numpy(np.array(["good movie"], dtype=np.object_))
    answer = client.infer(model, [given], model_version=version, headers=key)
    return answer.get_response()["model_version"], answer.as_numpy("probabilities").tolist()[0]
def refused(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except InferenceServerException as error:
        return [error.status(), error.message()]
def ready():
    return [one["version"] for one in client.get_model_repository_index(headers=key)
            if one["state"] == "READY"]
said = {"before": ready()}
client.load_model("sentiment:2", headers=key)
said |= {
    "loaded": ready(),
    "is ready": client.is_model_ready("sentiment", "2", headers=key),
    "answers": [ask("sentiment"), ask("sentiment", "1"), ask("sentiment", "2"),
                ask("sentiment:2")],
    "config": refused(client.load_model, "sentiment", headers=key, config="{}"),
    "stranger": refused(client.load_model, "sentiment"),
}
client.load_model("sentiment", headers=key)
client.unload_model("sentiment:2", headers=key)
said |= {"unloaded": ready(), "gone": refused(ask, "sentiment", "2")}
print(json.dumps(said))
"""


async def test_the_triton_client_uses_two_versions(served):
    registry.promote_version("sentiment:1")
    server = uvicorn.Server(
        uvicorn.Config(served.app, host="127.0.0.1", port=0, lifespan="off", log_level="error")
    )
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(60):
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", TRITON, f"127.0.0.1:{port}",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await client.communicate()
        server.should_exit = True
        await serving
    assert client.returncode == 0, errors.decode()
    said = json.loads(output)
    assert said["before"] == said["unloaded"] == ["1"]
    assert said["loaded"] == ["1", "2"]
    assert said["is ready"] is True
    champion, first, second, again = said["answers"]
    assert [version for version, _ in said["answers"]] == ["1", "1", "2", "2"]
    assert champion == first
    assert second == again
    assert first[1] != pytest.approx(second[1], abs=1e-3)
    assert said["config"][0] == "422"
    assert said["stranger"][0] == "401"
    assert said["gone"][0] == "404"
