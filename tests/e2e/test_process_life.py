"""Servers whose worker is stopped or killed, and whose log nobody reads."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="workers are found in /proc"),
]

TWO_WORKERS = {"VALENCE_WORKERS": "2"}
HELD = b"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


def workers_of(server) -> list[int]:
    pid = server.process.pid
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.05)


def is_ready(server) -> bool:
    try:
        return httpx.get(f"{server.url}/readyz", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def gauges(server) -> tuple[float, float]:
    """Whether the server is ready, and its requests in flight, besides the scrape itself."""
    values = {}
    for family in text_string_to_metric_families(httpx.get(f"{server.url}/metrics").text):
        assert family.name not in values, "a family comes twice"
        values[family.name] = family.samples[0].value if family.samples else 0.0
    return values["valence_ready"], values["valence_requests_in_flight"] - 1


def hold_request(server) -> socket.socket:
    """Begin a request whose body does not come."""
    address = httpx.URL(server.url)
    held = socket.create_connection((address.host, address.port))
    held.sendall(HELD + b"Content-Length: 100\r\n\r\n{")
    return held


def fill(pipe: int) -> None:
    """Write until the pipe takes no more."""
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"\n")
    os.set_blocking(pipe, True)


def test_a_stopped_worker_is_killed_and_replaced(bento, serving, tmp_path):
    with serving(bento, cwd=tmp_path, home=tmp_path / "home", VALENCE_HUNG_SECONDS="1") as server:
        (stopped,) = workers_of(server)
        os.kill(stopped, signal.SIGSTOP)
        wait_until(lambda: workers_of(server) not in ([stopped], []), seconds=5)
        wait_until(lambda: is_ready(server), seconds=20)
        assert "the worker has not answered for 1 s and is killed" in server.output.read_text()
        assert server.stop() == 0


def test_a_stopped_worker_does_not_outlast_its_grace(bento, serving, tmp_path):
    with serving(
        bento,
        cwd=tmp_path,
        home=tmp_path / "home",
        VALENCE_HUNG_SECONDS="60",
        VALENCE_GRACE_SECONDS="1",
    ) as server:
        (stopped,) = workers_of(server)
        os.kill(stopped, signal.SIGSTOP)
        assert server.stop() == 1
        assert not Path(f"/proc/{stopped}").exists()
        assert "the worker has not ended 1 s after SIGTERM and is" in server.output.read_text()


@pytest.mark.parametrize("options", [{}, TWO_WORKERS], ids=["one", "two"])
def test_gauges_are_right_after_a_worker_is_killed(bento, serving, tmp_path, options):
    with serving(bento, cwd=tmp_path, home=tmp_path / "home", **options) as server:
        count = 2 if options else 1
        held = hold_request(server)
        wait_until(lambda: gauges(server) == (1, 1), seconds=5)
        for worker in workers_of(server):
            os.kill(worker, signal.SIGKILL)
        held.close()
        wait_until(lambda: len(workers_of(server)) == count and is_ready(server), seconds=30)
        wait_until(lambda: gauges(server) == (1, 0), seconds=5)
        assert gauges(server)[0] == 1


def counted(server, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(httpx.get(f"{server.url}/metrics").text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def ask(server, tallies: list[Counter[int]], ends: float) -> None:
    """Send requests one after another; an answer counts under its status, a lost one under 0."""
    tally: Counter[int] = Counter()
    tallies.append(tally)
    while time.monotonic() < ends:
        with contextlib.suppress(httpx.TransportError), httpx.Client(timeout=20) as client:
            while time.monotonic() < ends:
                tally[0] += 1
                answer = client.post(f"{server.url}/v1/classify", json={"text": "good"})
                tally[0] -= 1
                tally[answer.status_code] += 1


@pytest.mark.parametrize(
    "container", [{}, {"BENTOML_CONTAINERIZED": "true"}], ids=["", "container"]
)
def test_a_killed_worker_of_two_costs_its_open_requests(bento, serving, tmp_path, container):
    clients = 4
    with serving(bento, cwd=tmp_path, home=tmp_path / "home", **TWO_WORKERS, **container) as server:
        before, tallies = workers_of(server), []
        ends = time.monotonic() + 6
        threads = [
            threading.Thread(target=ask, args=(server, tallies, ends)) for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        time.sleep(1)
        answered_then = sum(sum(tally.values()) for tally in tallies)
        os.kill(before[0], signal.SIGKILL)
        for thread in threads:
            thread.join()
        total = sum(tallies, Counter())
        # no client sees the new worker start, and each loses one request at most
        assert total.keys() <= {0, 200}
        assert 0 <= total[0] <= clients
        wait_until(lambda: len(workers_of(server)) == 2, seconds=30)
        assert before[0] not in workers_of(server)
        wait_until(lambda: gauges(server) == (1, 0), seconds=5)
        time.sleep(0.6)
        # the killed worker had counted what was half a second old
        requests = counted(server, "valence_requests_total", route="/v1/classify")
        assert total[200] - answered_then <= requests <= total[200] + total[0]
        assert server.stop() == 0


def test_servers_of_one_workspace_keep_their_metrics(bento, serving, tmp_path):
    options = {"cwd": tmp_path, "home": tmp_path / "home"}
    with serving(bento, **options, **TWO_WORKERS) as first:
        httpx.post(f"{first.url}/v1/classify", json={"text": "good", "model": "sentiment"})
        time.sleep(0.6)
        with serving(bento, **options, **TWO_WORKERS) as second:
            counted = 'valence_requests_total{method="POST",model="sentiment"'
            assert counted in httpx.get(f"{first.url}/metrics").text
            assert counted not in httpx.get(f"{second.url}/metrics").text


def test_a_log_that_nobody_reads_stops_nothing(bento, serving, tmp_path):
    reading, writing = os.pipe()
    try:
        with (
            serving(bento, cwd=tmp_path, home=tmp_path / "home", log=writing) as server,
            httpx.Client(base_url=server.url, timeout=5) as client,
        ):
            fill(writing)
            for _ in range(300):
                assert client.post("/v1/classify", json={"text": "good"}).status_code == 200
            os.kill(workers_of(server)[0], signal.SIGKILL)
            wait_until(lambda: is_ready(server), seconds=30)
            assert server.stop() == 0
    finally:
        os.close(reading)
        os.close(writing)


def test_on_a_full_disk_each_error_is_a_problem(bento, serving, tmp_path):
    keys = tmp_path / "keys"
    line = f"one: sha256:{hashlib.sha256(b'secret').hexdigest()}\n"
    keys.write_text(line)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with serving(
            bento,
            cwd=tmp_path,
            home=tmp_path / "home",
            log=full,
            VALENCE_API_KEYS_FILE=str(keys),
        ) as server:
            for content in (f"{line}a line that is no key\n", f"{line}# a comment\n"):
                keys.write_text(content)
                time.sleep(1.1)
                answer = httpx.post(f"{server.url}/v1/classify", json={"text": "good"})
                assert answer.status_code == 401
                assert answer.headers["content-type"] == "application/problem+json"
            assert server.stop() == 0
    finally:
        os.close(full)


def test_a_port_in_use_is_one_line(bento, serving, tmp_path):
    options = {"cwd": tmp_path, "home": tmp_path / "home"}
    with serving(bento, **options) as first:
        port = httpx.URL(first.url).port
        done = subprocess.run(
            [*first.process.args[:-1], str(port)],
            cwd=tmp_path,
            env={**os.environ, "BENTOML_HOME": str(tmp_path / "home")},
            check=False,
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert done.returncode == 78
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"valence: cannot listen on port {port} of 127.0.0.1: another program")
