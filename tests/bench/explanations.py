"""What an explanation costs beside a plain request, through all of the application."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from service.api.application import create_app
from service.classifier import artifact
from service.classifier.classifier import Classifier
from service.inference import engines
from service.inference.batcher import QueueLimits
from service.inference.models import Models
from service.inference.scorer import Scorer
from service.log import Log
from service.metrics import Metrics
from service.settings import Settings
from tests.bench.measure import Options, interleave, median
from tests.bench.report import Goal, Section, Table
from training import store

_MODEL = "sentiment"
_SENTENCE = (
    "I did not expect to like this little film, but the story is warm and the actors are great ."
)
_TEXTS = {"20 words": _SENTENCE, "300 words": " ".join([_SENTENCE] * 15)}
_REQUESTS = 20
_WANTED = 5.0


def run(options: Options) -> Section:
    """Ask for a sentence and a review, plainly and with ``explain``, in turns."""
    ask = _application()
    subjects: dict[tuple[str, bool], Callable[[], float]] = {
        (name, explain): lambda text=text, explain=explain: ask(text, explain)
        for name, text in _TEXTS.items()
        for explain in (False, True)
    }
    taken = interleave(subjects, rounds=max(options.rounds, 3))
    rows, goals = [], []
    for name in _TEXTS:
        plain, explained = (median(taken[name, explain]) for explain in (False, True))
        rows.append(
            [name, f"{plain * 1e3:.2f}", f"{explained * 1e3:.2f}", f"{explained / plain:.1f}"]
        )
        goals.append(
            Goal(f"{name}: explained over plain", _WANTED, explained / plain, at_least=False)
        )
    head = ["text", "plain (ms)", "explained (ms)", "ratio"]
    text = "CPU time of `POST /v1/classify` with and without `explain`, without a socket."
    return Section("Explanations", text, [Table(head, rows)], goals)


def _application() -> Callable[[str, bool], float]:
    """CPU seconds of a request for a text, plain or explained."""
    settings, metrics, models, log = (
        Settings(),
        Metrics(version="bench"),
        Models(),
        Log(io.StringIO()),
    )
    loaded = artifact.load(store.path(_MODEL))
    scorer = Scorer(
        Classifier(loaded),
        engines.create(loaded, name="auto", log=log),
        limits=QueueLimits(settings.queue_items, settings.queue_tokens),
        worker=ThreadPoolExecutor(1),
        metrics=metrics,
    )
    scorer.warm_up()
    models.open([scorer])
    app = create_app(settings=settings, models=models, metrics=metrics, log=log)
    loop = asyncio.new_event_loop()

    async def post(body: bytes) -> None:
        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
            "scheme": "http", "path": "/v1/classify", "raw_path": b"/v1/classify",
            "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 3000),
            "headers": [
                (b"host", b"127.0.0.1"), (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
        }  # fmt: skip
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await asyncio.Event().wait()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] != 200:
                raise RuntimeError(f"the application answered {message['status']}")

        await app(scope, receive, send)

    def ask(text: str, explain: bool) -> float:
        fields = {"text": text, "explain": True} if explain else {"text": text}
        body = json.dumps(fields).encode()
        loop.run_until_complete(post(body))
        started = time.process_time()
        for _ in range(_REQUESTS):
            loop.run_until_complete(post(body))
        return (time.process_time() - started) / _REQUESTS

    return ask
