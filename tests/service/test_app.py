"""What a process of the service imports, and when."""

import subprocess
import sys

import pytest

from service.inference import native_engine

HEAVY = {"torch", "torchtext", "training", "numpy", "safetensors", "prometheus_client"}


def imported(code: str) -> set[str]:
    """The modules of :data:`HEAVY` that a fresh process holds after ``code``."""
    report = f"import sys; print(*({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_importing_the_service_does_no_work():
    assert imported("import service.app") == set()


def test_a_folder_is_verified_before_there_is_a_worker_without_numpy(tiny_folder):
    code = f"""
from pathlib import Path
from service import settings, store
from service.classifier import seal
assert seal.verify(Path({str(tiny_folder)!r})).name
"""
    assert imported(code) == set()


@pytest.mark.skipif(not native_engine.native_available(), reason="the native engine is not built")
def test_serving_on_the_cpu_needs_no_torch_and_nothing_of_training(tiny_folder):
    code = f"""
import io
from pathlib import Path
from service import app, store
from service.classifier import artifact
from service.inference import engines
from service.log import Log
loaded = artifact.load(Path({str(tiny_folder)!r}))
engines.create(loaded, name="auto", log=Log(io.StringIO()))
service = app.Valence()
assert service.application.context.routes
"""
    assert imported(code) == {"numpy", "safetensors", "prometheus_client"}
