"""Golden files of each dialect: requests as its clients send them, and the bytes of the answers.

The files under ``golden/`` are HTTP messages without the headers that differ between runs. To
accept a change, run ``python -m tests.contract.test_golden``. The model is the tiny model with
seed 0. Its logits are far apart or equal, so that the scores have the same bits on every machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import sys
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from valence.service.api.application import Application, create_app
from valence.service.api.dialects import vllm
from valence.service.classifier import artifact
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier
from valence.service.feedback.prediction_id import KEY_BYTES, Issuer
from valence.service.inference.admission import QueueLimits
from valence.service.inference.model_loader import ModelLoader
from valence.service.inference.models import Models
from valence.service.inference.reload.reloads import Reloads
from valence.service.inference.scorer import Scorer
from valence.service.keys.key import fingerprint
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.settings import Settings

from tests.support.model_stores import models_in, put_model

REPOSITORY = "model_repository"
GOLDEN = Path(__file__).parent / "golden"
CREATED = 1745383213
# only these headers of an answer belong to the contract; the others hold times and ids
KEPT = (
    "content-type",
    "inference-header-content-length",
    "retry-after",
    "x-model-version",
    "x-compute-type",
    "x-compute-characters",
    "x-compute-tokens",
)


class WideLogitsEngine:
    """Engine whose logit of label k is a thousand times the count of word id k."""

    name = "counting"

    def logits(self, documents):
        rows = [np.bincount(document, minlength=4)[1:4] * 1000 for document in documents]
        return np.array(rows, dtype=np.float32).reshape(len(documents), 3)


@contextlib.asynccontextmanager
async def serving(tiny: Artifact, file: Path, scratch: Path) -> AsyncIterator[Application]:
    """Yield what answers ``file``: of the model repository, a service with a store and keys.

    The store holds three versions, of which 1 is served and 2 was loaded.
    """
    if file.parent.name != REPOSITORY:
        yield application(tiny)
        return
    keys = scratch / "keys"
    digest = fingerprint(b"of-operator").hex()
    keys.write_text(f"operator: sha256:{digest} scopes=admin\n")
    with models_in(scratch / "models"):
        for version in ("1", "2", "3"):
            put_model("sentiment", version)
        app = application(tiny, Settings(api_keys_file=str(keys), reload_slowdown=1e6))
        assert app.context.reloads is not None
        await app.context.reloads.load("sentiment:2")
        yield app
        app.context.reloads.close()


def application(tiny: Artifact, settings: Settings = Settings()) -> Application:  # noqa: B008
    metrics, models = Metrics(version="test"), Models()
    worker = ThreadPoolExecutor(1)
    scorer = Scorer(
        Classifier(tiny),
        WideLogitsEngine(),
        limits=QueueLimits.of(settings),
        worker=worker,
        metrics=metrics,
    )
    models.open([scorer])
    log = Log(io.StringIO())
    app = create_app(
        settings=settings,
        models=models,
        metrics=metrics,
        log=log,
        reloads=Reloads(ModelLoader(settings, worker, metrics, log), models),
    )
    # the ids of predictions hold a secret, a time and a count
    issuer = Issuer(bytes(KEY_BYTES), clock=lambda: CREATED * 10**9, first=0)
    app.context = dataclasses.replace(app.context, issuer=issuer)
    return app


async def answer(app: Application, request: bytes) -> bytes:
    """Return the answer message to a request message."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path = first.split(" ")
    headers = dict(line.split(": ") for line in lines)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://valence"
    ) as client:
        response = await client.request(method, path, content=body, headers=headers)
    kept = [f"{name}: {response.headers[name]}" for name in KEPT if name in response.headers]
    return "\r\n".join([str(response.status_code), *kept, "", ""]).encode() + response.content


def requests() -> list[Path]:
    return sorted(GOLDEN.glob("*/*.request"))


@pytest.mark.parametrize("file", requests(), ids=lambda file: f"{file.parent.name}/{file.stem}")
# for BentoML's own imports
@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
async def test_answers_equal_their_golden_files_byte_for_byte(
    tiny_artifact, monkeypatch, tmp_path, file
):
    monkeypatch.setattr(vllm, "seconds_since_1970", lambda: CREATED)
    expected = file.with_suffix(".answer").read_bytes()
    async with serving(tiny_artifact, file, tmp_path) as app:
        assert await answer(app, file.read_bytes()) == expected


def test_every_dialect_has_golden_files_and_no_file_is_unused():
    assert {file.parent.name for file in requests()} == {
        "detectors",
        "huggingface",
        "label_studio",
        REPOSITORY,
        "native",
        "open_inference",
        "sagemaker",
        "vllm",
    }
    answers = {file.with_suffix("") for file in GOLDEN.glob("*/*.answer")}
    assert answers == {file.with_suffix("") for file in requests()}


async def answered(tiny: Artifact, file: Path, request: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        async with serving(tiny, file, Path(scratch)) as app:
            return await answer(app, request)


def rewrite() -> None:
    """Write all answer files anew."""
    from tests.support.tiny_models import save_tiny_model

    vllm.seconds_since_1970 = lambda: CREATED
    with tempfile.TemporaryDirectory() as folder:
        tiny = artifact.load(save_tiny_model(Path(folder) / "sentiment"))
        for file in requests():
            # an application of its own, because answers with statistics depend on earlier requests
            file.with_suffix(".answer").write_bytes(
                asyncio.run(answered(tiny, file, file.read_bytes()))
            )
    sys.stdout.write(f"wrote {len(requests())} answers\n")


if __name__ == "__main__":
    rewrite()
