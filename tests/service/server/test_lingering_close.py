"""Refused connections that receive the reason, over real sockets."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
from valence.service.server.lingering_close import LingeringSockets

ANSWER = b"HTTP/1.1 503 Service Unavailable\r\n\r\n"


@pytest.fixture
def refusing():
    lingering = LingeringSockets(max_sockets=2, seconds=5.0)
    yield lingering
    lingering.close()


@pytest.fixture
def pair():
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        client = socket.create_connection(listening.getsockname(), timeout=5)
        accepted, _ = listening.accept()
    with client, accepted:
        yield client, accepted


def read_all(client):
    return b"".join(iter(lambda: client.recv(100), b""))


def test_a_client_gets_the_answer_although_its_data_is_unread(refusing, pair):
    client, accepted = pair
    client.sendall(b"x" * 100_000)
    refusing.reject_and_linger(accepted, ANSWER, now=0.0)
    refusing.sweep(now=0.1)
    client.sendall(b"x" * 100_000)
    assert read_all(client) == ANSWER


def test_a_connection_is_closed_after_the_client_closed(refusing, pair):
    client, accepted = pair
    refusing.reject_and_linger(accepted, ANSWER, now=0.0)
    refusing.sweep(now=0.1)
    assert (len(refusing), refusing.capacity) == (1, 1)
    read_all(client)
    client.close()
    refusing.sweep(now=0.2)
    assert (len(refusing), refusing.capacity) == (0, 2)
    assert accepted.fileno() < 0


def test_a_client_that_stays_is_disconnected_after_the_time(refusing, pair):
    _, accepted = pair
    refusing.reject_and_linger(accepted, ANSWER, now=1.0)
    refusing.sweep(now=6.0)
    assert len(refusing) == 1
    refusing.sweep(now=6.1)
    assert len(refusing) == 0
    assert accepted.fileno() < 0


def test_a_client_that_is_gone_is_dropped_immediately(refusing, pair):
    _, accepted = pair
    accepted.shutdown(socket.SHUT_WR)
    refusing.reject_and_linger(accepted, ANSWER, now=0.0)
    assert len(refusing) == 0
    assert accepted.fileno() < 0


def test_closing_closes_all_connections(refusing, pair):
    _, accepted = pair
    refusing.reject_and_linger(accepted, ANSWER, now=0.0)
    refusing.close()
    assert accepted.fileno() < 0
