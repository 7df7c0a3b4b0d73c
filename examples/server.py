"""A service in the background, for the notebooks."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

_SECONDS = 300


@contextmanager
def serve(model: str, **settings: str) -> Iterator[str]:
    """Serve ``model`` in a ``with`` block; yields the address once the service is ready.

    ``settings`` are environment variables, such as ``VALENCE_FEEDBACK_DATABASE``.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["valence", "serve", "--model", model, "--port", str(port)]
    with open("server.log", "wb") as log:
        server = subprocess.Popen(command, env={**os.environ, **settings}, stderr=log, stdout=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(_SECONDS):
            if server.poll() is not None:
                raise RuntimeError("the service ended; server.log says why")
            try:
                if httpx.get(f"{address}/readyz").is_success:
                    break
            except httpx.TransportError:
                pass
            time.sleep(1)
        else:
            raise RuntimeError("the service is not ready yet; server.log says why")
        yield address
    finally:
        server.terminate()
        server.wait(60)
