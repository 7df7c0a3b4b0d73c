"""What an explanation costs beside a plain request, through all of the application."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice

from tests.bench import texts
from tests.bench.application import Application
from tests.bench.measure import Options, interleave, median
from tests.bench.report import Goal, Section, Table

_Ask = Callable[[Iterator[str], int, bool], float]

_MODEL = "sentiment"
_REQUESTS = 20
_WANTED = 5.0
_WANTED_PLAIN = 1.05


def run(options: Options) -> Section:
    """Ask for sentences and reviews, plainly and with ``explain``, in turns."""
    ask = _application()
    # each is asked for once: what a server met before it looks up faster
    words = iter(" ".join(texts.sentences(20_000)).split())
    lengths = {"20 words": 20, "300 words": 300}
    # before anything of explanations was made in this process, and after
    plain_before = _least(ask, words)
    subjects: dict[tuple[str, bool], Callable[[], float]] = {
        (name, explain): lambda length=length, explain=explain: ask(words, length, explain)
        for name, length in lengths.items()
        for explain in (False, True)
    }
    taken = interleave(subjects, rounds=max(options.rounds, 3))
    plain_after = _least(ask, words)
    rows, goals = [], []
    for name in lengths:
        plain, explained = (median(taken[name, explain]) for explain in (False, True))
        rows.append(
            [name, f"{plain * 1e3:.2f}", f"{explained * 1e3:.2f}", f"{explained / plain:.1f}"]
        )
        goals.append(
            Goal(f"{name}: explained over plain", _WANTED, explained / plain, at_least=False)
        )
    goals.append(
        Goal(
            "a plain request after explanations over one before there were any",
            _WANTED_PLAIN,
            plain_after / plain_before,
            at_least=False,
        )
    )
    head = ["text", "plain (ms)", "explained (ms)", "ratio"]
    text = (
        "CPU time of `POST /v1/classify` with and without `explain`, without a socket, of "
        "texts that were not met before. A plain "
        f"request of 20 words takes {plain_before * 1e3:.3f} ms in a process that has explained "
        f"nothing yet, and {plain_after * 1e3:.3f} ms after explanations (the least of some)."
    )
    return Section("Explanations", text, [Table(head, rows)], goals)


def _least(ask: _Ask, words: Iterator[str]) -> float:
    """The least CPU time of a plain request: what else the machine does only adds."""
    return min(ask(words, 20, False) for _ in range(30))


def _application() -> _Ask:
    """CPU seconds of a request for so many of the next words, plain or explained."""
    application = Application(_MODEL)

    def ask(words: Iterator[str], length: int, explain: bool) -> float:
        def body() -> bytes:
            fields: dict[str, str | bool] = {"text": " ".join(islice(words, length))}
            return json.dumps(fields | {"explain": True} if explain else fields).encode()

        application.run([body()])
        bodies = [body() for _ in range(_REQUESTS)]
        started = time.process_time()
        for one in bodies:
            application.run([one])
        return (time.process_time() - started) / _REQUESTS

    return ask
