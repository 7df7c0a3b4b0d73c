"""Golden files of each dialect: requests as its clients send them, and the bytes of the answers.

The files under ``golden/`` are HTTP messages without the headers that differ between runs. To
accept a change, run ``python -m tests.contract.test_golden``. The model is the tiny model with
seed 0. Its logits are far apart or equal, so that the scores have the same bits on every machine.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
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
from valence.service.inference.admission import QueueLimits
from valence.service.inference.models import Models
from valence.service.inference.scorer import Scorer
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.settings import Settings

GOLDEN = Path(__file__).parent / "golden"
CREATED = 1745383213
# only these headers of an answer belong to the contract; the others hold times and ids
KEPT = (
    "content-type",
    "inference-header-content-length",
    "retry-after",
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


def application(tiny: Artifact) -> Application:
    settings, metrics, models = Settings(), Metrics(version="test"), Models()
    scorer = Scorer(
        Classifier(tiny),
        WideLogitsEngine(),
        limits=QueueLimits.of(settings),
        worker=ThreadPoolExecutor(1),
        metrics=metrics,
    )
    models.open([scorer])
    return create_app(settings=settings, models=models, metrics=metrics, log=Log(io.StringIO()))


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
async def test_answers_equal_their_golden_files_byte_for_byte(tiny_artifact, monkeypatch, file):
    monkeypatch.setattr(vllm, "seconds_since_1970", lambda: CREATED)
    expected = file.with_suffix(".answer").read_bytes()
    assert await answer(application(tiny_artifact), file.read_bytes()) == expected


def test_every_dialect_has_golden_files_and_no_file_is_unused():
    assert {file.parent.name for file in requests()} == {
        "huggingface",
        "native",
        "open_inference",
        "sagemaker",
        "vllm",
    }
    answers = {file.with_suffix("") for file in GOLDEN.glob("*/*.answer")}
    assert answers == {file.with_suffix("") for file in requests()}


def rewrite() -> None:
    """Write all answer files anew."""
    from tests.support.tiny_models import save_tiny_model

    vllm.seconds_since_1970 = lambda: CREATED
    with tempfile.TemporaryDirectory() as folder:
        tiny = artifact.load(save_tiny_model(Path(folder) / "sentiment"))
        for file in requests():
            # an application of its own, because answers with statistics depend on earlier requests
            app = application(tiny)
            file.with_suffix(".answer").write_bytes(asyncio.run(answer(app, file.read_bytes())))
    sys.stdout.write(f"wrote {len(requests())} answers\n")


if __name__ == "__main__":
    rewrite()
