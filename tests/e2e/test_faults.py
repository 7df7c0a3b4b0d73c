"""How a served bento reacts to faults of clients, of its worker and of its operator."""

import json
import math
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from valence.service.classifier import seal

pytestmark = pytest.mark.e2e

BENTOML = str(Path(sys.executable).with_name("bentoml"))
HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def strict(bento, serving, tmp_path_factory):
    """Serve with limits short enough to wait for in a test."""
    scratch = tmp_path_factory.mktemp("strict")
    with serving(
        bento,
        cwd=scratch,
        home=scratch / "home",
        VALENCE_HEADER_TIMEOUT_SECONDS="1",
        VALENCE_BODY_IDLE_SECONDS="1",
        VALENCE_KEEP_ALIVE_SECONDS="1",
        VALENCE_MAX_HEADER_BYTES="2048",
        VALENCE_MAX_CONNECTIONS="12",
    ) as server:
        yield server


def connect(server):
    address = httpx.URL(server.url)
    return socket.create_connection((address.host, address.port), timeout=10)


def rest_of(connection) -> bytes:
    """Read until the server closes the connection, which happens within the socket's timeout."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def drip(connection, content: bytes) -> None:
    """Send one byte every tenth of a second until the server closes."""
    try:
        for byte in content:
            connection.send(bytes([byte]))
            time.sleep(0.1)
    except OSError:
        pass


@pytest.mark.parametrize(
    ("sent", "dripped"),
    [
        (b"", b""),
        (b"POST /v1/cl", b""),
        (b"", b"POST /v1/classify HTTP/1.1\r\nHost: example\r\nAccept: everything\r\n"),
        (HEAD + b"Content-Length: 500\r\n\r\n", b""),
        (HEAD + b"Content-Length: 500\r\n\r\n", b'{"text": "' + b"x" * 90),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n", b""),
    ],
    ids=["silent", "header stops", "header drips", "body none", "body drips", "chunk stops"],
)
def test_a_slow_client_gets_408_and_its_connection_is_closed(strict, sent, dripped):
    with connect(strict) as connection:
        connection.sendall(sent)
        threading.Thread(target=drip, args=(connection, dripped), daemon=True).start()
        assert rest_of(connection).startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed_without_an_answer(strict):
    with connect(strict) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        received = rest_of(connection)
        assert received.startswith(b"HTTP/1.1 200 ")
        assert received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "header",
    [b"X-A: " + b"a" * 4096, b"\r\n".join(b"a%d: b" % place for place in range(200))],
    ids=["large", "many"],
)
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["endless", "whole"])
def test_headers_beyond_the_limit_are_431(strict, header, end):
    with connect(strict) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n" + header + end)
        # endless headers below the byte limit end with a timeout
        assert rest_of(connection)[:12] in (b"HTTP/1.1 431", b"" if end else b"HTTP/1.1 408")


def test_malformed_http_is_400_in_the_common_error_format(strict):
    with connect(strict) as connection:
        connection.sendall(b"xyzzy\r\n\r\n")
        received = rest_of(connection)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"urn:valence:problem:malformed-request" in received
    assert b"xyzzy" not in received


def test_connections_over_the_limit_get_503_and_others_continue(strict):
    with httpx.Client(base_url=strict.url) as client:
        assert client.get("/livez").status_code == 200
        held = [connect(strict) for _ in range(11)]
        with connect(strict) as one_more:
            assert rest_of(one_more).startswith(b"HTTP/1.1 503 ")
        assert client.post("/v1/classify", json={"text": "good"}).status_code == 200
        for connection in held:
            connection.close()
        counted = 'valence_rejected_requests_total{reason="too-many-connections"} 1.0'
        assert counted in client.get("/metrics").text


def worker_of(server) -> int | None:
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def is_ready(server) -> bool:
    try:
        return httpx.get(f"{server.url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_in_a_container_a_killed_worker_ends_the_server(bento, serving, tmp_path):
    with serving(
        bento, cwd=tmp_path, home=tmp_path / "home", BENTOML_CONTAINERIZED="true"
    ) as server:
        os.kill(worker_of(server), signal.SIGKILL)
        assert server.process.wait(3) == 1
        assert "valence: the worker was killed by signal 9" in server.output.read_text()


def test_outside_a_container_a_killed_worker_is_replaced(bento, serving, tmp_path):
    with serving(bento, cwd=tmp_path, home=tmp_path / "home") as server:
        killed = worker_of(server)
        os.kill(killed, signal.SIGKILL)
        # long before BentoML's own check, which runs every ten seconds
        deadline = time.monotonic() + 2
        while worker_of(server) in (killed, None):
            assert time.monotonic() < deadline, "no other worker"
            time.sleep(0.02)
        deadline = time.monotonic() + 30
        while not is_ready(server):
            assert time.monotonic() < deadline, server.output.read_text()
            time.sleep(0.05)
        answer = httpx.post(f"{server.url}/v1/classify", json={"text": "good"})
        assert answer.status_code == 200
        assert "valence: the worker was killed by signal 9" in server.output.read_text()
        assert server.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of the killed")
def test_workers_end_with_a_killed_server(bento, serving, tmp_path):
    with serving(bento, cwd=tmp_path, home=tmp_path / "home") as server:
        worker = worker_of(server)
        server.process.kill()
        server.process.wait(5)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{worker}").exists():
            assert time.monotonic() < deadline, "the worker goes on"
            time.sleep(0.05)


def with_changed_file(bento, tmp_path, *, file, change):
    """Copy the bento, change ``file`` of its `topic` model, and seal the model again."""
    shutil.copytree(bento, tmp_path / "bento")
    folder = tmp_path / "bento" / "models" / "topic" / "1"
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(change(content))
    seal.seal(folder)
    return tmp_path / "bento", folder / file


def test_weights_of_another_architecture_fail_with_one_line(bento, refused, tmp_path):
    changed, weights = with_changed_file(
        bento,
        tmp_path,
        file=seal.WEIGHTS,
        change=lambda content: content.replace(b'"output.bias"', b'"outpux.bias"'),
    )
    line = refused(changed, home=tmp_path / "home", cwd=tmp_path).line
    assert line.startswith(f"valence: {weights}: tensors missing or not of this architecture: ")
    assert "output.bias, outpux.bias" in line


def with_last(value: float) -> Callable[[bytes], bytes]:
    """Replace the last float32 by ``value``."""
    return lambda content: content[:-4] + struct.pack("<f", value)


@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        (seal.WEIGHTS, with_last(math.nan), "numbers that are not finite"),
        (seal.WEIGHTS, with_last(3e38), "sums in the network may not be finite"),
        (
            seal.VOCABULARY,
            lambda content: content.rsplit(b"\n", 2)[0] + b"\n",
            "the vocabulary has 12 words, the architecture requires 13",
        ),
    ],
    ids=["tensors", "sums", "vocabulary"],
)
def test_a_fault_only_the_worker_sees_fails_with_one_line(
    bento, refused, tmp_path, file, change, reason
):
    changed, _ = with_changed_file(bento, tmp_path, file=file, change=change)
    wrote = refused(changed, home=tmp_path / "home", cwd=tmp_path)
    (line,) = [json.loads(line) for line in wrote.stdout.splitlines() if line.startswith("{")]
    assert line["event"] == "not started"
    assert reason in line["reason"]
    assert "Traceback" not in wrote.stdout + wrote.stderr


@pytest.mark.parametrize("file", [seal.MANIFEST, seal.WEIGHTS, seal.VOCABULARY, seal.CHECKSUMS])
def test_a_model_with_a_missing_file_fails_with_one_line(bento, refused, tmp_path, file):
    shutil.copytree(bento, tmp_path / "bento")
    gone = tmp_path / "bento" / "models" / "topic" / "1" / file
    gone.unlink()
    line = refused(tmp_path / "bento", home=tmp_path / "home", cwd=tmp_path).line
    assert line.startswith(f"valence: {gone}: missing")


def test_a_file_of_another_model_fails_with_one_line(bento, refused, tmp_path):
    shutil.copytree(bento, tmp_path / "bento")
    models = tmp_path / "bento" / "models"
    replaced = models / "topic" / "1" / seal.WEIGHTS
    shutil.copy(models / "sentiment" / "1" / seal.WEIGHTS, replaced)
    line = refused(tmp_path / "bento", home=tmp_path / "home", cwd=tmp_path).line
    assert line.startswith(f"valence: {replaced}: the checksum is not the one in SHA256SUMS")


def test_a_draining_server_answers_and_reports_not_ready(bento, serving, tmp_path):
    with serving(bento, cwd=tmp_path, home=tmp_path / "home", VALENCE_DRAIN_SECONDS="2") as server:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert httpx.get(f"{server.url}/readyz").status_code == 503
        answer = httpx.post(f"{server.url}/v1/classify", json={"text": "good"})
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"
        assert server.process.wait(10) == 0


def test_outside_loopback_a_server_needs_keys_or_consent(bento, tmp_path):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VALENCE_", "BENTOML_"))}
    done = subprocess.run(
        [BENTOML, "serve", str(bento), "--host", "0.0.0.0", "--port", "1"],
        cwd=tmp_path,
        env={**kept, "BENTOML_HOME": str(tmp_path / "home"), "BENTOML_DO_NOT_TRACK": "True"},
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 78
    assert done.stderr.startswith("valence: other machines can reach 0.0.0.0")
    assert done.stderr.count("\n") == 1
