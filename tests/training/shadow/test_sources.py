import http.server
import socket
import threading
from collections.abc import Iterator

import pytest
from valence.service.errors import ConfigurationError
from valence.training.shadow import sources


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        key = self.headers.get("Authorization", "")
        status = 200 if self.path == "/metrics" and key in ("", "Bearer right") else 403
        body = f"asked {self.headers['Host']}".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Yield the port of a server on every address of loopback."""
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_every_address_of_a_host_is_asked_once(port, monkeypatch):
    """The name of a headless Service of Kubernetes has the address of each pod."""

    def resolve(host, port, **_):
        assert host == "pods"
        return [(0, 0, 0, "", (f"127.0.0.{last}", port)) for last in (1, 2, 2, 3)]

    url = f"http://pods:{port}/metrics"
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    replicas = sources._find_replicas(url)
    assert [replica.address for replica in replicas] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    monkeypatch.undo()
    monkeypatch.setattr(sources, "_find_replicas", lambda _: replicas)
    assert sources.read_metrics([url, url]) == [f"asked pods:{port}"] * 3


def test_a_file_holds_the_answer_of_a_server(tmp_path, port):
    (tmp_path / "saved.txt").write_text("saved")
    found = sources.read_metrics([str(tmp_path / "saved.txt"), f"http://127.0.0.1:{port}"])
    assert found == ["saved", f"asked 127.0.0.1:{port}"]


def test_a_key_is_sent_and_never_told(port):
    url = f"http://127.0.0.1:{port}/metrics"
    assert sources.read_metrics([url], key="right")
    with pytest.raises(ConfigurationError, match=r"wants an API key.*--key-file") as caught:
        sources.read_metrics([url], key="wrong-secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ftp://host/metrics", "is no address of metrics; give http://HOST:PORT/metrics"),
        ("http:///metrics", "is no address of metrics"),
        ("http://127.0.0.1:99999/metrics", "Port out of range"),
        ("http://127.0.0.1:1/metrics", "does not answer: ConnectionRefusedError"),
        ("/no/such/file", "/no/such/file: No such file"),
        ("http://no-such-host.invalid/metrics", "the host has no address"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(source, said):
    with pytest.raises(ConfigurationError, match=said):
        sources.read_metrics([source])


def test_an_answer_that_is_too_large_is_refused(port, monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "_MAX_BYTES", 4)
    (tmp_path / "large").write_text("12345")
    for source in (f"http://127.0.0.1:{port}/metrics", str(tmp_path / "large")):
        with pytest.raises(ConfigurationError, match="bytes"):
            sources.read_metrics([source])
