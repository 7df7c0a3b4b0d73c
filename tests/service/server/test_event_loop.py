"""An event loop that accepts all waiting connections, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import statistics
import time
from contextlib import closing

import pytest
from valence.service.server.event_loop import loop_factory

CLIENTS = 100


@pytest.fixture
def loop():
    loop = loop_factory()()
    yield loop
    loop.close()


@pytest.fixture
def listening():
    with closing(socket.create_server(("127.0.0.1", 0), backlog=CLIENTS)) as listening:
        yield listening


@pytest.fixture
def clients(listening):
    opened = [socket.create_connection(listening.getsockname()) for _ in range(CLIENTS)]
    yield opened
    for client in opened:
        client.close()


class Greeting(asyncio.Protocol):
    def __init__(self, made):
        self.made = made

    def connection_made(self, transport):
        self.made.append(transport)
        transport.write(b"hello")


async def turns_until(done, *, most):
    for turn in range(most):
        if done():
            return turn
        await asyncio.sleep(0)
    return most


async def seconds_until(done, *, most):
    for _ in range(int(most * 1000)):
        if done():
            return
        await asyncio.sleep(0.001)
    pytest.fail(f"not within {most} seconds")


def serve(loop, listening, *, most_turns):
    """Return the number of turns of the loop and of connections made in them."""
    made = []

    async def run():
        server = await loop.create_server(lambda: Greeting(made), sock=listening)
        turns = await turns_until(lambda: len(made) == CLIENTS, most=most_turns)
        server.close()
        found = len(made)
        for transport in made:
            transport.close()
        await asyncio.sleep(0.01)
        return turns, found

    return loop.run_until_complete(run())


class Turns(asyncio.Protocol):
    """Notes the turn of the loop in which each connection was made; ``turn`` is the present one."""

    turn = 0

    def __init__(self, made):
        self.made = made

    def connection_made(self, transport):
        self.made.append((transport, Turns.turn))


def count_by_turn(loop, listening, *, busy):
    """Return how many connections were made in each turn, of ``busy`` seconds of other work."""
    made = []

    async def run():
        server = await loop.create_server(lambda: Turns(made), sock=listening)
        for turn in range(CLIENTS):
            Turns.turn = turn
            if busy:
                time.sleep(busy)  # noqa: ASYNC251 - work on the loop
            await asyncio.sleep(0)
        server.close()
        for transport, _ in made:
            transport.abort()
        await asyncio.sleep(0.01)

    loop.run_until_complete(run())
    numbers = [turn for _, turn in made]
    assert len(numbers) == CLIENTS
    return [numbers.count(turn) for turn in sorted(set(numbers))]


def test_clients_that_come_at_once_are_accepted_few_a_turn(loop, listening, clients):
    by_turn = sorted(count_by_turn(loop, listening, busy=0))
    assert statistics.median(by_turn) <= CLIENTS / 10
    # all but one: a turn in which the machine stops the process for a moment is a long one
    assert by_turn[-2] <= CLIENTS / 5


def test_in_long_turns_as_many_are_accepted_as_take_that_time(loop, listening, clients):
    by_turn = count_by_turn(loop, listening, busy=0.01)
    assert max(by_turn) > CLIENTS / 2
    assert len(by_turn) < CLIENTS / 10


class FakeAdmission:
    """Fake admission with room for ``most`` connections and for ``refused_a_turn`` refusals."""

    def __init__(self, *, most, refused_a_turn=0):
        self.most = most
        self.refused_a_turn = refused_a_turn
        self.refused = 0
        self.expected = 0

    def reserve(self):
        self.expected += 1

    def release(self):
        self.expected -= 1

    def capacity(self):
        return self.most - self.expected

    def refusal_capacity(self):
        return self.refused_a_turn

    def refuse(self, connection):
        self.refused += 1
        connection.send(b"no")
        connection.close()


def test_accepted_connections_never_exceed_the_room(loop, listening, clients):
    loop.admission = FakeAdmission(most=10)
    _, made = serve(loop, listening, most_turns=20)
    assert made == loop.admission.expected == 10


def test_waiting_connections_are_accepted_when_there_is_room(loop, listening, clients):
    loop.admission = FakeAdmission(most=10)
    made = []

    def greet():
        # a connection is made, and another one ends
        loop.admission.release()
        return Greeting(made)

    async def run():
        server = await loop.create_server(greet, sock=listening)
        await seconds_until(lambda: len(made) == CLIENTS, most=10)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(run())
    assert {client.recv(10) for client in clients} == {b"hello"}
    for transport in made:
        transport.abort()
    loop.run_until_complete(asyncio.sleep(0.01))


def test_excess_connections_are_refused_outside_the_loop(loop, listening, clients):
    loop.admission = FakeAdmission(most=0, refused_a_turn=CLIENTS)
    _, made = serve(loop, listening, most_turns=50)
    told = [client.recv(10) for client in clients]
    assert told.count(b"no") == loop.admission.refused == CLIENTS
    assert made == 0


class FakeTlsLoop(loop_factory()):
    """Accept TLS connections without a handshake, and count the handshakes that were requested."""

    handshakes = 0

    async def connect_accepted_socket(
        self, protocol_factory, sock, *, ssl=None, ssl_handshake_timeout=None
    ):
        # uvloop would wait for a minute
        self.handshakes += ssl is not None and ssl_handshake_timeout <= 10
        return await super().connect_accepted_socket(protocol_factory, sock)


def test_over_tls_the_protocol_refuses_excess_connections(listening, clients):
    loop = FakeTlsLoop()
    loop.admission = FakeAdmission(most=0, refused_a_turn=CLIENTS)
    made = []

    async def run():
        server = await loop.create_server(lambda: Greeting(made), sock=listening, ssl=object())
        await seconds_until(lambda: len(made) == CLIENTS, most=10)
        server.close()
        for transport in made:
            transport.close()
        await asyncio.sleep(0.01)

    loop.run_until_complete(run())
    loop.close()
    assert (loop.handshakes, loop.admission.refused) == (CLIENTS, 0)
    assert {client.recv(10) for client in clients} == {b"hello"}


def test_a_closed_server_accepts_no_connections(loop, listening, clients):
    made = []

    async def run():
        server = await loop.create_server(lambda: Greeting(made), sock=listening)
        assert server.is_serving()
        await seconds_until(lambda: loop.admission.refused, most=10)
        server.close()
        server.close()
        assert not server.is_serving()
        await asyncio.sleep(0.05)

    loop.admission = FakeAdmission(most=0, refused_a_turn=1)
    loop.run_until_complete(run())
    assert not made
    assert loop.admission.refused < len(clients)
    for transport in made:
        transport.abort()
    loop.run_until_complete(asyncio.sleep(0.01))


def test_the_kernel_takes_little_for_a_client_that_reads_nothing(loop, listening):
    written = []

    class Flood(asyncio.Protocol):
        def connection_made(self, transport):
            connection = transport.get_extra_info("socket")
            with (
                contextlib.suppress(BlockingIOError),
                socket.socket(fileno=os.dup(connection.fileno())) as same,
            ):
                same.setblocking(False)
                while sum(written) < 8_000_000:
                    written.append(same.send(b"x" * 65_536))
            transport.abort()

    async def run():
        server = await loop.create_server(Flood, sock=listening)
        client = socket.create_connection(listening.getsockname())
        await asyncio.sleep(0.1)
        client.close()
        server.close()

    loop.run_until_complete(run())
    # what is in the client's own window, and 64 KiB
    assert 0 < sum(written) < 1_000_000


def test_a_worker_takes_a_share_of_what_waits_in_a_turn(loop, listening, clients):
    loop.sharers = 2
    turns, made = serve(loop, listening, most_turns=1000)
    assert made == CLIENTS
    # an eighth of what waits in each turn, and single ones at the end
    assert 15 < turns < 60


def test_several_workers_never_exceed_the_room(loop, listening, clients):
    loop.sharers = 2
    loop.admission = FakeAdmission(most=1)
    _, made = serve(loop, listening, most_turns=20)
    assert made == loop.admission.expected <= 20


def test_a_full_worker_refuses_what_no_other_worker_takes(loop, listening, clients):
    loop.sharers = 2
    loop.admission = FakeAdmission(most=0, refused_a_turn=CLIENTS)
    made = []

    async def run():
        server = await loop.create_server(lambda: Greeting(made), sock=listening)
        await asyncio.sleep(0.005)
        assert loop.admission.refused == 0
        await seconds_until(lambda: loop.admission.refused == CLIENTS, most=10)
        server.close()

    loop.run_until_complete(run())
    assert not made


def test_connections_wait_for_a_worker_that_is_ready(loop, listening):
    made = []

    async def run():
        loop.ready = asyncio.Event()
        serving = asyncio.create_task(loop.create_server(lambda: Greeting(made), sock=listening))
        client = socket.create_connection(listening.getsockname())
        client.setblocking(False)
        with closing(client):
            await asyncio.sleep(0.1)
            assert not made
            assert not loop.listening.is_set()
            loop.ready.set()
            server = await serving
            assert await loop.sock_recv(client, 10) == b"hello"
            server.close()

    loop.run_until_complete(run())
    for transport in made:
        transport.abort()
    loop.run_until_complete(asyncio.sleep(0.01))


class Ending(Greeting):
    def connection_made(self, transport):
        super().connection_made(transport)
        self.transport = transport

    def shutdown(self):
        self.transport.close()


def test_the_last_of_several_workers_answers_what_waits(loop, listening, clients):
    loop.sharers = 2
    made = []

    async def run():
        server = await loop.create_server(lambda: Ending(made), sock=listening)
        server.close()
        assert not server.is_serving()
        await server.wait_closed()

    loop.run_until_complete(run())
    assert len(made) == CLIENTS
    assert {client.recv(10) for client in clients} == {b"hello"}
    # each connection was told to end, and nothing is left of them
    loop.run_until_complete(asyncio.sleep(0.01))
    for client in clients:
        client.settimeout(5)
    assert {client.recv(10) for client in clients} == {b""}
