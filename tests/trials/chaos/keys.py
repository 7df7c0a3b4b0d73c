"""API keys that are withdrawn, damaged, emptied, removed and replaced while clients use them."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from valence.service.keys.file_watch import CHECK_SECONDS
from valence.service.keys.key import Key, Scope, fingerprint, format_line

from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import serve

# The file is looked at once a second, and gets a tenth of a second to be written.
_MAX_SECONDS = 1.5
_WATCHED_SECONDS = 2.5
_END_SECONDS = 30.0
_BODY = json.dumps({"text": "I love it."})
# names of keys: these stay, these are withdrawn
_STAYING = ("anna", "bert")
_LEAVING = ("carl", "dora")


class Answer(NamedTuple):
    """When a request was sent, and the status that it got; 0 for none."""

    sent: float
    status: int


class KeyClient:
    """A thread that sends requests with one key, without pause."""

    def __init__(self, port: int, secret: str) -> None:
        self._port = port
        self._headers = {"X-API-Key": secret, "Content-Type": "application/json"}
        self._stop = threading.Event()
        self.answers: list[Answer] = []
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(_END_SECONDS)

    def since(self, moment: float) -> list[Answer]:
        """The answers to the requests that were sent after ``moment``."""
        return [answer for answer in list(self.answers) if answer.sent >= moment]

    def _ask(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stop.is_set():
            sent = time.perf_counter()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
                connection.request("POST", "/v1/classify", _BODY, self._headers)
                answer = connection.getresponse()
                answer.read()
                self.answers.append(Answer(sent, answer.status))
            except (OSError, http.client.HTTPException):
                self.answers.append(Answer(sent, 0))
                connection = None
            time.sleep(0.002)
        if connection is not None:
            connection.close()


class Outcome(NamedTuple):
    """What the clients saw of one change of the file."""

    admitted_seconds: float
    """How long after the change a request with a withdrawn key was admitted last; 0 for never."""
    admitted_again: int
    """Requests with a withdrawn key that were admitted after one that was refused."""
    lost: Counter[int]
    """Requests with a key that stayed valid that were not answered 200, by status."""
    requests: int


def judge(
    changed: float, staying: Sequence[Sequence[Answer]], leaving: Sequence[Sequence[Answer]]
) -> Outcome:
    """The outcome of a change at ``changed``, from the answers to each key since then."""
    longest, again = 0.0, 0
    for answers in leaving:
        refused = False
        for answer in answers:
            if answer.status == 401:
                refused = True
            elif answer.status == 200:
                again += refused
                longest = max(longest, answer.sent - changed)
        if not refused:
            longest = float("inf")
    return Outcome(
        longest,
        again,
        Counter(a.status for answers in staying for a in answers if a.status != 200),
        sum(map(len, (*staying, *leaving))),
    )


class _Trial:
    """A file of keys, a server that reads it, and a client for each key."""

    def __init__(self, path: Path, port: int) -> None:
        self.path = path
        self._port = port
        self.clients: dict[str, KeyClient] = {}

    def start(self) -> None:
        self.clients = {
            name: KeyClient(self._port, _secret(name)) for name in (*_STAYING, *_LEAVING)
        }

    def stop(self) -> None:
        for client in self.clients.values():
            client.stop()

    def change(
        self, write: Callable[[Path], None], staying: Sequence[str], *, share: float
    ) -> Outcome:
        """Change the file, and watch the clients; then restore the file.

        The change comes at a ``share`` of the time between two looks of the service.
        """
        time.sleep(share * CHECK_SECONDS)
        changed = time.perf_counter()
        write(self.path)
        time.sleep(_WATCHED_SECONDS)
        seen = {name: client.since(changed) for name, client in self.clients.items()}
        outcome = judge(
            changed,
            [seen[name] for name in staying],
            [answers for name, answers in seen.items() if name not in staying],
        )
        _replace(self.path, _content((*_STAYING, *_LEAVING)))
        time.sleep(_WATCHED_SECONDS)
        return outcome


def _secret(name: str) -> str:
    return f"valence_chaos-{name}"


def _line(name: str, scopes: frozenset[Scope] = frozenset(("classify",))) -> str:
    return format_line(Key(name, fingerprint(_secret(name).encode()), scopes)) + "\n"


def _content(names: Sequence[str]) -> str:
    return "".join(map(_line, names))


def _replace(path: Path, content: str) -> None:
    new = path.with_name("new")
    new.write_text(content, "utf-8")
    new.replace(path)


def _damage(path: Path) -> None:
    """Withdraw keys by an edit in place that damages other lines too."""
    path.write_text(
        _content(_STAYING) + _line("erik").replace("sha256", "sha265") + _secret("carl") + "\n",
        "utf-8",
    )


def _rewrite(path: Path) -> None:
    """Write the file in place, piece by piece, again and again."""
    ends = time.perf_counter() + _WATCHED_SECONDS
    while time.perf_counter() < ends:
        with path.open("w", encoding="utf-8") as file:
            for name in (*_STAYING, *_LEAVING):
                file.write(_line(name))
                file.flush()
                time.sleep(0.005)
        time.sleep(0.3)


def run(*, times: int = 10) -> Iterator[Finding]:
    """Change the file in each way, several times, under load."""
    everybody = (*_STAYING, *_LEAVING)
    ways: tuple[tuple[str, Callable[[Path], None], Sequence[str]], ...] = (
        (
            "keys withdrawn",
            lambda path: _replace(path, _content(_STAYING)),
            _STAYING,
        ),
        ("keys withdrawn, other lines damaged", _damage, _STAYING),
        ("file of keys emptied", lambda path: os.truncate(path, 0), ()),
        ("file of keys removed", Path.unlink, ()),
        (
            "file of keys replaced, with more keys",
            lambda path: _replace(path, _content((*everybody, "erik"))),
            everybody,
        ),
        ("file of keys written in place", _rewrite, everybody),
    )
    with TemporaryDirectory(prefix="valence-chaos-keys-") as folder:
        path = Path(folder) / "keys"
        path.write_text(_content(everybody), "utf-8")
        with serve(settings={"VALENCE_API_KEYS_FILE": str(path)}) as server:
            trial = _Trial(path, server.port)
            trial.start()
            try:
                for fault, write, staying in ways:
                    outcomes = [
                        trial.change(write, staying, share=number / times)
                        for number in range(times)
                    ]
                    yield _finding(fault, outcomes, staying)
            finally:
                trial.stop()


def _finding(fault: str, outcomes: Sequence[Outcome], staying: Sequence[str]) -> Finding:
    longest = max(outcome.admitted_seconds for outcome in outcomes)
    again = sum(outcome.admitted_again for outcome in outcomes)
    lost = sum((outcome.lost for outcome in outcomes), Counter[int]())
    statuses = ", ".join(f"{count} x {status}" for status, count in sorted(lost.items()))
    requests = sum(outcome.requests for outcome in outcomes)
    leaves = len(staying) < len((*_STAYING, *_LEAVING))
    return Finding(
        fault=fault,
        tried=f"{len(outcomes)} times, 4 clients with a key each, {requests:,} requests",
        lost=(f"withdrawn keys admitted for {longest:.2f} s, and {again} times later; " * leaves)
        + f"{lost.total()} requests with valid keys refused"
        + f" ({statuses})" * bool(lost),
        promise=(f"withdrawn keys out within {_MAX_SECONDS:g} s; " * leaves)
        + "no valid key refused",
        held=longest <= _MAX_SECONDS and not again and not lost,
    )
