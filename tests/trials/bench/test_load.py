from __future__ import annotations

import contextlib
import http.server
import itertools
import os
import threading
import time

import pytest

from tests.trials.bench import load
from tests.trials.bench.load import Answer, Job, post, schedule
from tests.trials.bench.processes import BenchError, cpu_seconds

REQUESTS = [post("/x", b'{"n":1}'), post("/x", b'{"n":22}')]


@contextlib.contextmanager
def server(*, delay=0.0, status=200, stall=None):
    """Answer POSTs on loopback; ``stall`` is (number of a request, its duration in seconds)."""
    seen = []
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                seen.append(body)
                number = len(seen)
                time.sleep(stall[1] if stall and stall[0] == number else delay)
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *arguments):
            pass

    # unbuffered handlers would send head and body separately, which Nagle's algorithm delays
    Handler.wbufsize = -1
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield running.server_address[1], seen
        finally:
            running.shutdown()
            thread.join()


def test_a_closed_loop_counts_only_answers_in_its_window():
    with server(delay=0.01) as (port, seen):
        result = load.run(Job(port, REQUESTS, connections=2, seconds=0.4, warm_up=0.2))
    assert result.failed == 0
    # the server takes 10 ms per request, one at a time: at most 40 in the window, more in total
    assert 0 < result.answered <= 41
    assert len(seen) > result.answered
    assert result.per_second == result.answered / result.seconds
    # Two connections take turns at a server that serves one request at a time: Little's law. A busy
    # machine makes both sides longer.
    assert result.p50 == pytest.approx(2 / result.per_second, rel=0.5)


def test_requests_are_sent_completely_and_in_turn():
    with server() as (port, seen):
        load.run(Job(port, REQUESTS, connections=1, seconds=0.1, warm_up=0.0))
    assert seen[:4] == [b'{"n":1}', b'{"n":22}'] * 2


def test_refused_requests_never_count_as_answers():
    with server(status=503) as (port, _), pytest.raises(BenchError, match="nothing was answered"):
        load.run(Job(port, REQUESTS, connections=1, seconds=0.1, warm_up=0.0))


def test_an_open_loop_keeps_its_schedule_while_a_server_stalls():
    # one pause of 0.3 s in 1 s: a closed loop would see one slow request, but all requests that
    # were due meanwhile are slow
    with server(stall=(20, 0.3)) as (port, _):
        result = load.run(Job(port, REQUESTS, connections=4, seconds=1.0, warm_up=0.0, rate=100.0))
    assert result.failed == 0
    assert result.answered == pytest.approx(100, abs=2)
    assert result.p99 > 0.2
    assert result.lag_p99 < 0.1


def test_an_unanswered_request_counts_with_its_waiting_time():
    with server(stall=(1, 0.8)) as (port, _):
        result = load.run(
            Job(port, REQUESTS, 1, seconds=0.3, warm_up=0.0, rate=18.0, drain_seconds=0.2)
        )
    assert result.failed == result.answered == 5
    assert result.p99 > 0.3


def test_a_schedule_has_the_requested_rate_and_spacing():
    even = schedule(Job(1, [], connections=1, seconds=1.5, warm_up=0.5, rate=100.0))
    assert len(even) == 200
    assert even[-1] == pytest.approx(2.0)
    random = schedule(
        Job(1, [], connections=1, seconds=50.0, rate=100.0, spacing="poisson", seed=3)
    )
    assert random[-1] == pytest.approx(50.5, rel=0.05)
    gaps = sorted(b - a for a, b in itertools.pairwise(random))
    # exponential gaps: their median is ln 2 times their mean
    assert gaps[len(gaps) // 2] == pytest.approx(0.00693, rel=0.1)


def test_an_unknown_spacing_is_refused():
    with pytest.raises(ValueError, match="even or poisson"):
        schedule(Job(1, [], connections=1, seconds=1.0, rate=1.0, spacing="bursts"))


def test_an_answer_may_arrive_in_any_pieces():
    whole = b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: 5\r\n\r\nhello"
    answer = Answer()
    for _ in range(2):  # an answer object is reused
        assert [answer.feed(bytes([byte])) for byte in whole] == [None] * (len(whole) - 1) + [200]
    assert answer.feed(whole.replace(b"200", b"404")) == 404


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", "more was answered"),
    ],
)
def test_an_unexpected_answer_ends_the_run(data, reason):
    with pytest.raises(BenchError, match=reason):
        Answer().feed(data)


def test_processor_time_is_that_of_the_given_processes():
    before = cpu_seconds([os.getpid()])
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert 0.05 <= cpu_seconds([os.getpid()]) - before <= 0.5
    assert cpu_seconds([]) == 0.0
