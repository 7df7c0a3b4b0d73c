"""What a service process imports, and when."""

import subprocess
import sys

import pytest
from valence.service.inference.engines import native

pytestmark = pytest.mark.integration

HEAVY = {"torch", "torchtext", "valence.training", "numpy", "safetensors", "prometheus_client"}


def imported(code: str) -> set[str]:
    """Return the modules of :data:`HEAVY` that a fresh process has imported after ``code``."""
    report = f"import sys; print(*({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_importing_the_service_imports_no_heavy_modules():
    assert imported("import valence.service.app") == set()


def test_a_folder_is_verified_without_numpy(tiny_folder):
    """The check runs before a worker starts."""
    code = f"""
from pathlib import Path
from valence.service import settings
from valence.service.registry import models
from valence.service.classifier import seal
assert seal.verify(Path({str(tiny_folder)!r})).name
"""
    assert imported(code) == set()


@pytest.mark.skipif(not native.native_available(), reason="the native engine is not built")
def test_serving_on_the_cpu_imports_neither_torch_nor_training(tiny_folder):
    code = f"""
import io
from pathlib import Path
from valence.service import app
from valence.service.classifier import artifact
from valence.service.inference.engines import factory
from valence.service.observability.log import Log
loaded = artifact.load(Path({str(tiny_folder)!r}))
factory.create(loaded, name="auto", log=Log(io.StringIO()))
service = app.Valence()
assert service.application.context.routes
import uvicorn
of_bentoml = uvicorn.Config("valence:app")
of_bentoml.load_app = lambda: None
assert type(of_bentoml.get_loop_factory()()).__module__ == "valence.service.server.event_loop"
"""
    assert imported(code) == {"numpy", "safetensors", "prometheus_client"}


UNTRACED = """
import asyncio, io, sys
from valence.service.api.application import create_app
from valence.service.inference.models import Models
from valence.service.observability.log import Log
from valence.service.observability.metrics import Metrics
from valence.service.settings import Settings

async def ask(entry):
    answer = []
    async def send(message):
        answer.append(message)
    async def receive():
        return {"type": "http.request", "body": b'{"text": "good"}', "more_body": False}
    headers = [(b"traceparent", b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01")]
    scope = {"type": "http", "method": "POST", "path": "/v1/classify", "headers": headers}
    await entry(scope, receive, send)
    assert answer[0]["status"] == 503
    assert b"traceparent" in dict(answer[0]["headers"])
"""


def test_without_a_collector_opentelemetry_is_not_imported():
    code = f"""{UNTRACED}
app = create_app(
    settings=Settings(), models=Models(), metrics=Metrics(version="1"), log=Log(io.StringIO())
)
asyncio.run(ask(app))
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    assert imported(code)


def test_without_a_collector_no_span_is_made():
    """Even where BentoML has imported OpenTelemetry."""
    code = f"""{UNTRACED}
from valence.service import app
service = app.Valence()
assert service._tracer is None
import opentelemetry.sdk.trace
def refuse(*arguments, **options):
    raise AssertionError("a span")
opentelemetry.sdk.trace.Tracer.start_span = refuse
opentelemetry.sdk.trace.Span.__init__ = refuse
asyncio.run(ask(service.entry))
assert not [name for name in sys.modules if name.startswith("opentelemetry.exporter")]
"""
    assert imported(code)


MEASURED = """
import asyncio, time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from valence.service import app
from valence.service.observability.metrics import Metrics
app._GAUGE_SECONDS = 0.02

async def measure():
    worker = ThreadPoolExecutor(1)
    # the models load
    worker.submit(time.sleep, 0.1)
    service = SimpleNamespace(_worker=worker, metrics=Metrics(version="1"))
    task = asyncio.create_task(app.Valence.inner._measure_saturation(service))
    await asyncio.sleep(0.3)
    idle = service.metrics.saturation
    for _ in range(40):
        ends = time.perf_counter() + 0.02
        while time.perf_counter() < ends:
            pass
        await asyncio.sleep(0)
    task.cancel()
    assert idle < 0.5 < service.metrics.saturation <= 1, (idle, service.metrics.saturation)

asyncio.run(measure())
"""


def test_the_saturation_of_a_worker_is_measured():
    assert "prometheus_client" in imported(MEASURED)
