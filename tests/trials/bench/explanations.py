"""Cost of an explanation compared with a plain request, through the whole application."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice

from tests.trials.bench import texts
from tests.trials.bench.application import Application
from tests.trials.bench.measure import Options, interleave, median
from tests.trials.bench.report import Goal, Section, Table

_Ask = Callable[[Iterator[str], int, bool], float]

_MODEL = "sentiment"
_REQUESTS = 20
_WANTED = 5.0
_WANTED_PLAIN = 1.05


def run(options: Options) -> Section:
    """Send sentences and reviews alternately without and with ``explain``."""
    ask = _application()
    # each text is sent once, because a second look-up of the same words is faster
    words = iter(" ".join(texts.sentences(20_000)).split())
    lengths = {"20 words": 20, "300 words": 300}
    # measured before this process has loaded any code of explanations, and afterwards
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
        "CPU time of `POST /v1/classify` with and without `explain`, without a socket, for texts "
        "that the process has not seen before. A plain request of 20 words takes "
        f"{plain_before * 1e3:.3f} ms in a process that has explained nothing yet, and "
        f"{plain_after * 1e3:.3f} ms after explanations (the minimum of several requests)."
    )
    return Section("Explanations", text, [Table(head, rows)], goals)


def _least(ask: _Ask, words: Iterator[str]) -> float:
    """Return the minimum CPU time of a plain request: other load on the machine can only
    add time.
    """
    return min(ask(words, 20, False) for _ in range(30))


def _application() -> _Ask:
    """Return a function that measures the CPU seconds of a request for the next words."""
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
