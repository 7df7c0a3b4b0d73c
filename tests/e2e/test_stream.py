"""The stream over a socket: answers before the request has ended, and a server that shuts down."""

import json
import signal
import socket
import time

import pytest

pytestmark = pytest.mark.e2e

HEAD = (
    b"POST /v1/classify/stream HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
    b"Transfer-Encoding: chunked\r\n"
)


def chunk(*texts: str) -> bytes:
    lines = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)
    return b"%x\r\n%s\r\n" % (len(lines), lines)


class Conversation:
    """A connection and all bytes received on it."""

    def __init__(self, server) -> None:
        port = int(server.url.rpartition(":")[2])
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.received = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def wait_for(self, wanted: bytes) -> None:
        deadline = time.monotonic() + 10
        while wanted not in self.received:
            assert time.monotonic() < deadline, self.received
            data = self.socket.recv(65536)
            assert data, self.received
            self.received += data

    def answers(self) -> list[dict]:
        return [json.loads(line) for line in self.received.splitlines() if line.startswith(b"{")]


def test_lines_are_answered_before_the_request_has_ended(server):
    talk = Conversation(server)
    talk.send(HEAD + b"\r\n" + chunk("good"))
    talk.wait_for(b'"line":1')
    talk.send(chunk("bad movie", "not good"))
    talk.wait_for(b'"line":3')
    talk.send(b"0\r\n\r\n")
    talk.wait_for(b"\r\n0\r\n\r\n")
    assert [answer["line"] for answer in talk.answers()] == [1, 2, 3]
    talk.socket.close()


def test_a_client_that_expects_100_continue_gets_it(server):
    talk = Conversation(server)
    talk.send(HEAD + b"Expect: 100-continue\r\n\r\n")
    talk.wait_for(b"HTTP/1.1 100 Continue\r\n\r\n")
    talk.send(chunk("good") + b"0\r\n\r\n")
    talk.wait_for(b"\r\n0\r\n\r\n")
    assert [answer["line"] for answer in talk.answers()] == [1]
    talk.socket.close()


def test_a_server_that_shuts_down_names_the_line_to_resume_from(bento, serving, tmp_path):
    with serving(bento, cwd=tmp_path, home=tmp_path / "home") as server:
        talk = Conversation(server)
        talk.send(HEAD + b"\r\n" + chunk("good", "bad"))
        talk.wait_for(b'"line":2')
        server.process.send_signal(signal.SIGTERM)
        talk.wait_for(b"resume_from")
        last = talk.answers()[-1]
        assert last["resume_from"] == 3 or last["error"].get("resume_from") == 3
        assert server.process.wait(15) == 0
        talk.socket.close()
