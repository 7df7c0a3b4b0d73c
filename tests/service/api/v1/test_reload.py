"""``POST /v1/models/{name}/reload``, by operators alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from valence.service.keys.key import fingerprint
from valence.training.registry import store as registry

from tests.support.model_stores import models_in, put_model

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
PATH = "/v1/models/sentiment/reload"
OPERATOR = {"X-API-Key": "of-operator"}


@pytest.fixture
def served(serve, tmp_path: Path) -> Iterator[object]:
    file = tmp_path / "keys"
    file.write_text(
        "".join(
            f"{name}: sha256:{fingerprint(f'of-{name}'.encode()).hex()} scopes={scopes}\n"
            for name, scopes in (("operator", "admin"), ("client", "classify,metrics"))
        )
    )
    with models_in(tmp_path / "models"):
        put_model("sentiment", "1")
        yield serve(api_keys_file=str(file), reload_slowdown=1e6)


async def classify(served):
    return (
        await served.client.post("/v1/classify", json={"text": "good"}, headers=OPERATOR)
    ).json()


async def test_an_operator_makes_a_promoted_version_answer(served):
    put_model("sentiment", "2", seed=2)
    before = (
        await served.client.post("/v1/classify", json={"text": "good"}, headers=OPERATOR)
    ).json()
    registry.promote_version("sentiment:2")
    answer = await served.client.post(PATH, headers=OPERATOR)
    assert answer.status_code == 200
    assert answer.json() == {"model": "sentiment", "version": "2", "previous": "1"}
    after = (
        await served.client.post("/v1/classify", json={"text": "good"}, headers=OPERATOR)
    ).json()
    assert (before["model"]["version"], after["model"]["version"]) == ("1", "2")
    assert before["results"][0]["scores"] != after["results"][0]["scores"]
    (card,) = (await served.client.get("/v1/models", headers=OPERATOR)).json()["models"]
    assert card["version"] == "2"
    again = await served.client.post(PATH, headers=OPERATOR)
    assert again.json() == {"model": "sentiment", "version": "2", "previous": "2"}


async def test_clients_and_strangers_may_not_reload(served, serve):
    assert (await served.client.post(PATH)).status_code == 401
    assert (await served.client.post(PATH, headers={"X-API-Key": "of-client"})).status_code == 403
    without_keys = await serve().client.post(PATH)
    assert without_keys.status_code == 403
    assert "--scope admin" in without_keys.json()["detail"]


async def test_a_refusal_names_the_fault_and_what_serves(served):
    (put_model("sentiment", "2") / "SHA256SUMS").unlink()
    answer = await served.client.post(PATH, headers=OPERATOR)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:valence:problem:reload-refused"
    assert "SHA256SUMS: missing" in answer.json()["detail"]
    assert answer.json()["detail"].endswith("sentiment:1 serves on")


async def test_a_stream_goes_on_with_the_new_version(served):
    put_model("sentiment", "2", seed=2)

    async def lines():
        yield b'{"text": "good"}\n'
        for _ in range(200):
            yield b""
        await served.app.context.reloads.reload("sentiment")
        yield b'{"text": "good"}\n'

    answer = await served.client.post(
        "/v1/classify/stream",
        content=lines(),
        headers={"Content-Type": "application/x-ndjson", **OPERATOR},
    )
    first, second = (line for line in answer.text.splitlines())
    assert first != second.replace('"line":2', '"line":1')
    assert not served.models._replaced
