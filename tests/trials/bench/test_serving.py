"""Servers without extra packages answer; a fault here would fail a benchmark after minutes."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from tests.trials.bench import serving
from tests.trials.bench.serving import Subject

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("subject", [serving.ECHO, serving.MOUNTED_ECHO], ids=["ours", "mounted"])
def test_an_echo_server_answers(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # peers get the folder of a model, which an echo server does not read
    model = tmp_path / "models" / "sentiment"
    model.mkdir(parents=True)
    (model / "latest").write_text("none")
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    with serving.serve(subject, cpus=None) as server:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/v1/classify",
            data=b'{"text": "I love it"}',
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.status == 200
            assert b'"label"' in answer.read()
