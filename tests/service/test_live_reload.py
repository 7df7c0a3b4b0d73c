"""The service process follows its store: from the promotion of a version to its first answer."""

import os
import subprocess
import sys

import pytest

from tests.support.model_stores import models_in, put_model
from tests.support.tiny_models import save_tiny_model

pytestmark = [
    pytest.mark.integration,
    # for BentoML's own imports
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
]

FOLLOWED = """
import asyncio, gc, json, weakref
from valence.service import app
from valence.training.registry import store

async def ask(entry):
    answer = []
    async def send(message):
        answer.append(message)
    async def receive():
        return {"type": "http.request", "body": b'{"text": "good"}', "more_body": False}
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/classify", "headers": headers}
    await entry(scope, receive, send)
    return json.loads(b"".join(message["body"] for message in answer[1:]))

async def main():
    service = app.Valence()
    service._loading = asyncio.create_task(service._finish_loading())
    service._following = asyncio.create_task(service._follow_store())
    await service._loading
    before = weakref.ref(service.models.get())
    first = await ask(service.entry)
    store.promote_version("sentiment:2")
    async with asyncio.timeout(30):
        while (second := await ask(service.entry))["model"] == first["model"]:
            await asyncio.sleep(0.02)
        assert second["results"] != first["results"]
        # frozen objects are freed by the counts of their references alone
        while before() is not None:
            await asyncio.sleep(0.02)
    service._following.cancel()
    service._reloads.close()
    await service.models.close()
    service.log.flush()
    print(first["model"]["version"], second["model"]["version"])

asyncio.run(main())
"""

FROM_SOURCE = (
    FOLLOWED.replace(
        "    service = app.Valence()\n",
        "    from valence.service.settings import Settings\n"
        "    from valence.service.sources import follower\n"
        "    settings = Settings.from_environment(os.environ)\n"
        "    follower.enter_store(settings)\n"
        "    assert follower.fill_store(settings) == []\n"
        "    service = app.Valence()\n"
        "    service._pulling = asyncio.create_task(service._follow_source())\n",
    )
    .replace(
        "store.promote_version(",
        "source_champion.promote_version(source_champion.open_address(settings.model_source), ",
    )
    .replace("registry import store", "registry import source_champion")
    .replace("import asyncio, ", "import asyncio, os, ")
    .replace(
        "    service._following.cancel()",
        "    service._pulling.cancel()\n    service._following.cancel()",
    )
)


def follow(program, environment):
    """Run ``program``, which sees version 2 after version 1, and return the lines of its log."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "VALENCE_RELOAD_SECONDS": "0.05",
            "VALENCE_ACCESS_LOG": "false",
            **environment,
        },
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    *lines, last = done.stdout.splitlines()
    assert last == "1 2"
    return lines


def test_a_process_answers_by_the_version_promoted_at_its_source(tmp_path):
    """Its own store holds no model."""
    source = tmp_path / "source"
    for version, seed in (("1", 1), ("2", 2)):
        save_tiny_model(source / "sentiment" / version, version=version, seed=seed)
    (source / "sentiment" / "champion.json").write_text('{"version": "1"}')
    environment = {
        "BENTOML_HOME": str(tmp_path / "home"),
        "VALENCE_MODEL_SOURCE": str(source),
        "VALENCE_MODEL_SOURCE_SECONDS": "0.05",
    }
    lines = follow(FROM_SOURCE, environment)
    assert sum('"event": "model pulled"' in line for line in lines) == 1
    assert sum('"event": "model reloaded"' in line for line in lines) == 1


def test_a_process_answers_by_the_promoted_version(tmp_path):
    """It also frees the version of its start."""
    with models_in(tmp_path / "models"):
        put_model("sentiment", "1", seed=1)
        put_model("sentiment", "2", seed=2)
        latest = tmp_path / "models" / "sentiment" / "latest"
        latest.write_text("1")
    environment = {
        "BENTOML_HOME": str(tmp_path),
        "VALENCE_MODELS": "sentiment",
    }
    lines = follow(FOLLOWED, environment)
    assert sum('"event": "model reloaded"' in line for line in lines) == 1
