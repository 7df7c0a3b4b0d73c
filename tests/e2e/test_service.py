import contextlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from valence.service.inference.engines.native import native_available

from tests.support.otlp import collecting

pytestmark = pytest.mark.e2e


def counts(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics").raise_for_status().text
    return {
        f"{sample.name} {json.dumps(sample.labels, sort_keys=True)}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def increase_of(before: dict[str, float], after: dict[str, float], *wanted: str) -> float:
    names = [name for name in after if all(part in name for part in wanted)]
    assert names, wanted
    return sum(after[name] - before.get(name, 0) for name in names)


def test_an_exported_bento_runs_from_an_empty_home(server):
    answer = httpx.post(f"{server.url}/v1/classify", json={"texts": ["good", "bad movie"]})
    assert answer.status_code == 200
    assert len(answer.json()["results"]) == 2
    names = [model["name"] for model in httpx.get(f"{server.url}/v1/models").json()["models"]]
    assert names == ["sentiment", "topic"]


def test_one_request_adds_exactly_one_to_the_counters(server):
    before = counts(server.url)
    httpx.post(f"{server.url}/v1/classify", json={"text": "good"}).raise_for_status()
    after = counts(server.url)
    assert increase_of(before, after, "valence_requests_total", '"route": "/v1/classify"') == 1
    assert increase_of(before, after, "bentoml_service_request_total", '"/v1/classify"') == 1
    assert increase_of(before, after, "valence_predictions_total", '"sentiment"') == 1
    assert increase_of(before, after, "valence_predictions_total", '"topic"') == 0
    # BentoML's own middleware, which counts by raw path, is not installed
    assert not any("bentoml_service_request_in_progress" in name for name in after)


@pytest.mark.skipif(not native_available(), reason="the native engine is not built")
def test_no_process_of_a_served_bento_has_mapped_torch(server):
    processes = list(descendants(server.process.pid))
    mapped = {pid: Path(f"/proc/{pid}/maps").read_text() for pid in processes}
    # the worker is one of them
    assert any("_kernel." in maps for maps in mapped.values())
    for maps in mapped.values():
        assert not [name for name in ("libtorch", "libc10", "pyarrow", "sklearn") if name in maps]


def descendants(pid: int) -> Iterator[int]:
    """Yield ``pid`` and the ids of all its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from descendants(int(child))


# in its own process, because of its warnings
CLIENT = """
import json, sys, bentoml
with bentoml.SyncHTTPClient(sys.argv[1]) as client:
    print(json.dumps(client.classify(text="not good", model="topic", top_k=1)))
    try:
        client.classify(top_k=1)
    except bentoml.exceptions.BentoMLException as error:
        print(error)
"""


def test_the_bentoml_client_gets_the_same_answers(server):
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, server.url], check=True, capture_output=True, text=True
    )
    answer, error = done.stdout.splitlines()
    fields = {"text": "not good", "model": "topic", "top_k": 1}
    answers = [json.loads(answer), httpx.post(f"{server.url}/v1/classify", json=fields).json()]
    first, second = (answer.pop("prediction_id") for answer in answers)
    assert first != second
    assert answers[0] == answers[1]
    assert "exactly one of text and texts" in error


def test_server_output_holds_no_part_of_a_request(server):
    canary = "xyzzy-canary-1f3a"
    url = f"{server.url}/v1/classify"
    for body in ({"text": canary}, {"text": [canary]}, [canary], canary, {"texts": canary}):
        httpx.post(url, json=body)
    httpx.post(url, content=f'{{"text": "{canary}')
    httpx.post(url, json={"text": "a" * 5000})
    httpx.get(f"{server.url}/{canary}")
    assert canary not in server.output.read_text()
    assert "Traceback" not in server.output.read_text()


def test_a_body_over_the_limit_leaves_the_connection_open(server):
    with httpx.Client(base_url=server.url) as client:
        assert client.post("/v1/classify", content=b"x" * 4097).status_code == 413
        chunked = client.post("/v1/classify", content=(b"x" * 1000 for _ in range(9)))
        assert chunked.status_code == 413
        assert client.post("/v1/classify", json={"text": "good"}).status_code == 200


def test_after_sigterm_accepted_requests_are_answered(bento, serving, tmp_path):
    with serving(bento, cwd=tmp_path, home=tmp_path / "home") as server:
        statuses: list[int] = []

        def ask() -> None:
            texts = ["good movie " * 20] * 1000
            # a slow machine may not have sent the request when the server ends
            with contextlib.suppress(httpx.ConnectError), httpx.Client(timeout=10) as client:
                answer = client.post(f"{server.url}/v1/classify", json={"texts": texts})
                statuses.append(answer.status_code)

        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(0.05)
        assert server.stop() == 0
        asking.join(10)
    assert statuses in ([200], [])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "the model store has none of sentiment, topic"),
        ({"VALENCE_MODELS": "sentiment:7"}, "the model store does not have 'sentiment:7'"),
        ({"VALENCE_MAX_TEXT": "7"}, "did you mean VALENCE_MAX_TEXTS?"),
        ({"VALENCE_ENGINE": "native-none"}, "native"),
    ],
)
def test_a_start_that_fails_prints_one_line_and_has_a_status(
    refused, repository, settings, said, tmp_path
):
    line = refused("valence.service.app:Valence", home=tmp_path, cwd=repository, **settings).line
    assert line.startswith("valence: ")
    assert said in line


def test_a_damaged_model_fails_with_one_line_and_a_status(bento, refused, tmp_path):
    shutil.copytree(bento, tmp_path / "bento")
    weights = tmp_path / "bento" / "models" / "topic" / "1" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    line = refused(tmp_path / "bento", home=tmp_path / "home", cwd=tmp_path).line
    assert str(weights) in line
    assert "checksum" in line


def test_spans_reach_the_collector_named_in_the_environment(bento, serving, tmp_path):
    with collecting() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        with serving(bento, cwd=tmp_path, home=tmp_path / "home", **variables) as server:
            text = "xyzzy-canary in a good movie"
            httpx.post(f"{server.url}/v1/classify", json={"text": text}).raise_for_status()
            assert server.stop() == 0
        names = {span.name for span in collector.spans()}
        assert names == {"POST /v1/classify", "tokenize", "queue", "infer"}
        assert "xyzzy-canary" not in repr(collector.requests)
