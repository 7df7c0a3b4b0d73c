"""Fakes of what sources of models are read from: an object store of moto, a registry.

All of them listen on loopback, in a thread of the test.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


@contextmanager
def serve_handler(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Answer by ``handler`` on a free port of loopback; yields the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def serve_objects() -> Iterator[int]:
    """An object store of moto; yields its port."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()[1]
    finally:
        server.stop()


class Handler(BaseHTTPRequestHandler):
    """Reads bodies and writes answers, without a line on the terminal."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Keep the output of tests clean."""

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def make_registry(*, password: str = "") -> type[BaseHTTPRequestHandler]:
    """A registry that keeps what is pushed; with ``password`` it asks for a token first."""

    class Registry(Handler):
        blobs: ClassVar[dict[str, bytes]] = {}
        manifests: ClassVar[dict[tuple[str, str], bytes]] = {}

        def _admit(self) -> bool:
            if not password or self.headers.get("Authorization") == "Bearer issued":
                return True
            if self.path.startswith("/token"):
                import base64

                right = base64.b64encode(f"user:{password}".encode()).decode()
                if self.headers.get("Authorization") == f"Basic {right}":
                    self.answer(200, b'{"token": "issued"}')
                else:
                    self.answer(401)
                return False
            realm = f"http://{self.headers['Host']}/token"
            self.answer(401, Www_Authenticate=f'Bearer realm="{realm}",service="s",scope="x"')
            return False

        def do_GET(self) -> None:
            if not self._admit():
                return
            name, kind, what = self._parse()
            if kind == "blobs":
                content = self.blobs.get(what)
                self.answer(404) if content is None else self.answer(200, content)
            elif kind == "manifests":
                content = self.manifests.get((name, what))
                if content is None:
                    self.answer(404)
                else:
                    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
                    self.answer(200, content, Docker_Content_Digest=digest)
            else:
                tags = [tag for repository, tag in self.manifests if repository == name]
                self.answer(200 if tags else 404, json.dumps({"tags": tags}).encode())

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:
            self.read_body()
            if self._admit():
                self.answer(202, Location=f"{self.path}one")

        def do_PUT(self) -> None:
            content = self.read_body()
            if not self._admit():
                return
            name, kind, what = self._parse()
            if kind == "manifests":
                self.manifests[name, what] = content
            else:
                digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
                self.blobs[digest] = content
            self.answer(201)

        def _parse(self) -> tuple[str, str, str]:
            path = self.path.partition("?")[0]
            found = re.fullmatch(r"/v2/(.+)/(blobs|manifests|tags)/(.+)", path)
            assert found is not None, path
            return found[1], found[2], found[3]

    return Registry
