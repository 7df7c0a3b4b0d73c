"""The line for a terminal, on the service's own event loop."""

import asyncio
import socket

import pytest
from valence.service.server import announcement
from valence.service.server.event_loop import BatchAcceptLoop


@pytest.fixture(autouse=True)
def _outside_a_container(monkeypatch):
    monkeypatch.delenv("BENTOML_CONTAINERIZED", raising=False)


def announce_beside_a_server(address, family=socket.AF_INET):
    """Announce before the server listens; return the port."""

    async def run():
        loop = asyncio.get_running_loop()
        announcing = asyncio.create_task(announcement.announce(["sentiment", "topic"]))
        await asyncio.sleep(0)
        assert not announcing.done()
        with socket.socket(family) as listening:
            listening.bind((address, 0))
            server = await loop.create_server(asyncio.Protocol, sock=listening)
            await asyncio.wait_for(announcing, 5)
            port = listening.getsockname()[1]
            server.close()
            return port

    with asyncio.Runner(loop_factory=BatchAcceptLoop) as runner:
        return runner.run(run())


@pytest.mark.parametrize(
    ("address", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "localhost")]
)
def test_one_line_tells_the_address_and_the_playground(capsys, address, shown):
    port = announce_beside_a_server(address)
    printed = capsys.readouterr()
    url = f"http://{shown}:{port}"
    assert printed.err == f"valence: ready at {url} with sentiment, topic; playground: {url}/\n"
    assert printed.out == ""


def test_an_address_of_ipv6_is_in_brackets(capsys):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    port = announce_beside_a_server("::1", socket.AF_INET6)
    assert f"ready at http://[::1]:{port} with" in capsys.readouterr().err


def test_a_container_gets_no_line(capsys, monkeypatch):
    monkeypatch.setenv("BENTOML_CONTAINERIZED", "true")

    async def run():
        await announcement.announce(["sentiment"])

    with asyncio.Runner(loop_factory=BatchAcceptLoop) as runner:
        runner.run(run())
    assert capsys.readouterr().err == ""
