"""With default settings no text is stored: not in the database, its log, logs, traces or files.

A real server keeps feedback and has every folder that it could write to in one place, which is
searched while it runs and after its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Server
from tests.support.feedback_databases import KEY
from tests.support.otlp import Collector, collecting

pytestmark = pytest.mark.e2e

# random letters, as no other file has them
CANARY = "qvzkxwjhpt"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    for name in ("tmp", "home", "cache"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def find_canary(folder: Path) -> list[str]:
    """The files under ``folder`` that have the canary, as text or as UTF-16."""
    forms = (CANARY.encode(), CANARY.encode("utf-16-le"))
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms)
    ]


def find_open_canary(server: Server) -> list[str]:
    """The files that a process of the server holds open, also deleted ones, with the canary."""
    group = os.getpgid(server.process.pid)
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        # a process, or a file of it, may end meanwhile
        with contextlib.suppress(OSError):
            if os.getpgid(int(process.name)) != group:
                continue
            found += [
                str(one.readlink())
                for one in (process / "fd").iterdir()
                if one.is_file() and CANARY.encode() in one.read_bytes()
            ]
    return found


def ask_everything(server: Server) -> str:
    """Send the canary to each dialect, and feedback about it; the id of a prediction."""
    text = f"good {CANARY}"
    bodies: dict[str, Any] = {
        "/v1/classify": {"text": text, "explain": True, "granularity": "sentence"},
        "/v1/activations": {"text": text},
        "/predict": {"inputs": text},
        "/classify": {"input": [text]},
        "/api/v1/text/contents": {"contents": [text]},
        "/label-studio/predict": {"tasks": [{"data": {"text": text}}]},
        "/invocations": {"inputs": text},
        "/v2/models/sentiment/infer": {
            "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}]
        },
    }
    for path, body in bodies.items():
        httpx.post(f"{server.url}{path}", json=body, timeout=30).raise_for_status()
        # and what is refused
        httpx.post(f"{server.url}{path}", content=json.dumps(body)[:-1], timeout=30)
    httpx.post(
        f"{server.url}/v1/classify/stream",
        content=json.dumps({"text": text}) + "\n",
        headers={"Content-Type": "application/x-ndjson"},
        timeout=30,
    ).raise_for_status()
    answer = httpx.post(f"{server.url}/v1/classify", json={"text": text}, timeout=30)
    name = answer.json()["prediction_id"]
    pieces = [{"prediction_id": name, "label": "negative"}]
    done = httpx.post(f"{server.url}/v1/feedback", json={"feedback": pieces}, timeout=30)
    done.raise_for_status()
    refused = [{**pieces[0], "text": text}, {**pieces[0], "source": text}]
    done = httpx.post(f"{server.url}/v1/feedback", json={"feedback": refused}, timeout=30)
    assert done.status_code == 422
    return str(name)


def test_by_default_no_text_is_stored_anywhere(
    bento: Path, serving: Callable[..., Any], scratch: Path, collector: Collector
) -> None:
    settings = {
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "VALENCE_FEEDBACK_DATABASE": str(scratch / "feedback.db"),
        "VALENCE_FEEDBACK_KEY": KEY,
        "VALENCE_CACHE_BYTES": "1000000",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
    }
    with serving(bento, cwd=scratch, home=scratch / "home", **settings) as server:
        name = ask_everything(server)
        assert find_canary(scratch) == []
        assert find_open_canary(server) == []
        stored = b"".join(path.read_bytes() for path in scratch.glob("feedback.db*"))
        assert name.encode() in stored, "the database is searched while it has feedback"
        for path in ("/metrics", "/v1/monitor", "/v1/models"):
            assert CANARY not in httpx.get(f"{server.url}{path}", timeout=30).text
    assert find_canary(scratch) == []
    assert collector.spans(), "spans are searched"
    assert CANARY not in "".join(map(str, collector.requests))


def test_a_sample_that_is_wanted_is_in_the_database_alone(
    bento: Path, serving: Callable[..., Any], scratch: Path
) -> None:
    """The search finds what is stored: so the test above can fail."""
    settings = {
        "TMPDIR": str(scratch / "tmp"),
        "VALENCE_FEEDBACK_DATABASE": str(scratch / "feedback.db"),
        "VALENCE_SAMPLE_TEXTS": "3000",
    }
    with serving(bento, cwd=scratch, home=scratch / "home", **settings) as server:
        texts = [f"good {CANARY} {number}" for number in range(40)]
        httpx.post(f"{server.url}/v1/classify", json={"texts": texts}, timeout=30)
        deadline = time.monotonic() + 30
        # it is kept after the answer
        while not find_canary(scratch) and time.monotonic() < deadline:
            time.sleep(0.1)
    found = find_canary(scratch)
    assert found
    assert all(name.startswith("feedback.db") for name in found), found
