"""What an explanation costs beside a plain request, through all of the application."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from tests.bench import texts
from tests.bench.application import Application
from tests.bench.measure import Options, interleave, median
from tests.bench.report import Goal, Section, Table

_MODEL = "sentiment"
_SENTENCE = (
    "I did not expect to like this little film, but the story is warm and the actors are great ."
)
_REQUESTS = 20
_WANTED = 5.0
_WANTED_PLAIN = 1.05


def run(options: Options) -> Section:
    """Ask for a sentence and a review, plainly and with ``explain``, in turns."""
    ask = _application()
    words = {"20 words": _SENTENCE, "300 words": texts.reviews(1)[0]}
    # before anything of explanations was made in this process, and after
    plain_before = _least(ask)
    subjects: dict[tuple[str, bool], Callable[[], float]] = {
        (name, explain): lambda text=text, explain=explain: ask(text, explain)
        for name, text in words.items()
        for explain in (False, True)
    }
    taken = interleave(subjects, rounds=max(options.rounds, 3))
    plain_after = _least(ask)
    rows, goals = [], []
    for name in words:
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
        "CPU time of `POST /v1/classify` with and without `explain`, without a socket. A plain "
        f"request of 20 words takes {plain_before * 1e3:.3f} ms in a process that has explained "
        f"nothing yet, and {plain_after * 1e3:.3f} ms after explanations (the least of some)."
    )
    return Section("Explanations", text, [Table(head, rows)], goals)


def _least(ask: Callable[[str, bool], float]) -> float:
    """The least CPU time of a plain request: what else the machine does only adds."""
    return min(ask(_SENTENCE, False) for _ in range(30))


def _application() -> Callable[[str, bool], float]:
    """CPU seconds of a request for a text, plain or explained."""
    application = Application(_MODEL)

    def ask(text: str, explain: bool) -> float:
        fields = {"text": text, "explain": True} if explain else {"text": text}
        body = json.dumps(fields).encode()
        application.run([body])
        started = time.process_time()
        for _ in range(_REQUESTS):
            application.run([body])
        return (time.process_time() - started) / _REQUESTS

    return ask
