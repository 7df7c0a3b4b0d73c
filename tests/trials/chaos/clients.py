"""Clients that send requests without pause and know the right answer to each."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

CLIENTS = 8
# tolerance for the difference between the probabilities of two dispatch paths
_TOLERANCE = 0.01
_END_SECONDS = 30.0


class Clients:
    """Threads that send requests without pause and compare each answer with the right one.

    Each version in ``others`` has other answers to the same texts. ``pause`` are the seconds
    between two requests of a thread.
    """

    def __init__(
        self,
        port: int,
        expected: Sequence[tuple[str, object]],
        *,
        others: Mapping[str, Sequence[tuple[str, object]]] = {},
        pause: float = 0.0,
    ) -> None:
        self._port = port
        self._expected = expected
        self._others = others
        self._pause = pause
        self._stop = threading.Event()
        self.seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._ask, args=(number,), daemon=True)
            for number in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_END_SECONDS)

    def _ask(self, number: int) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stop.is_set():
            number += CLIENTS
            if self._pause:
                time.sleep(self._pause)
            index = number % len(self._expected)
            text, right = self._expected[index]
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
                try:
                    connection.connect()
                except OSError:
                    # no process listens: the request was never accepted
                    self._count("refused")
                    connection = None
                    time.sleep(0.02)
                    continue
            try:
                connection.request(
                    "POST",
                    "/v1/classify",
                    json.dumps({"text": text}),
                    {"Content-Type": "application/json"},
                )
                answer = connection.getresponse()
                content = json.load(answer)
            except (OSError, http.client.HTTPException, ValueError):
                self._count("unanswered")
                connection.close()
                connection = None
                continue
            if answer.status == 200:
                version = content["model"]["version"]
                if version in self._others:
                    _, right = self._others[version][index]
                self._count("right" if alike(content["results"], right) else "wrong")
            else:
                self._count(str(answer.status))
            if answer.will_close:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _count(self, what: str) -> None:
        with self._lock:
            self.seen[what] += 1


def alike(results: Any, right: Any) -> bool:
    """Return whether two answers agree: after a restart another dispatch path may compute them."""
    (one,), (other,) = results, right
    found = {score["label"]: score["score"] for score in one["scores"]}
    expected = {score["label"]: score["score"] for score in other["scores"]}
    close = found.keys() == expected.keys() and all(
        abs(found[label] - expected[label]) <= _TOLERANCE for label in found
    )
    ranked = sorted(expected.values())
    # if the two likeliest labels are as close as the tolerance, either may be the label
    return close and (one["label"] == other["label"] or ranked[-1] - ranked[-2] <= 2 * _TOLERANCE)


def right_answers(port: int, sentences: Sequence[str]) -> list[tuple[str, object]]:
    """Return each sentence with the answer of the undisturbed service."""
    expected = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for text in sentences:
        connection.request(
            "POST",
            "/v1/classify",
            json.dumps({"text": text}),
            {"Content-Type": "application/json"},
        )
        expected.append((text, json.load(connection.getresponse())["results"]))
    connection.close()
    return expected
