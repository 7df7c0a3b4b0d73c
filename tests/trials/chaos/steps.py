"""The longest step of the event loop in the worst requests, in processor time.

While a step runs, no probe is answered. The requests are answered in process, on an event loop that
measures each of its steps. Unlike the time that a probe waits, the processor time of a step hardly
depends on what else the machine does.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import Message, Scope
from valence.service.api.application import Application, create_app
from valence.service.api.v1.schemas import MAX_EXPLAINED_TEXTS
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.service.inference.admission import QueueLimits
from valence.service.inference.engines import factory
from valence.service.inference.models import Models
from valence.service.inference.scorer import Scorer
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.registry import models as registry
from valence.service.settings import Settings

from tests.trials.bench.measure import say
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.worst_requests import Case, list_cases

MOST_SECONDS = 0.05
# what the loop of the service reads from a socket at once
_PIECE_BYTES = 256_000
_SHOWN = 3


class TimedLoop(asyncio.SelectorEventLoop):
    """An event loop that knows its longest step, in seconds of processor time."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0.0

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """As of every loop."""
        return super().call_soon(self._take, callback, *args, context=context)

    def call_soon_threadsafe(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """As of every loop."""
        return super().call_soon_threadsafe(self._take, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As of every loop."""
        return super().call_at(when, self._take, callback, *args, context=context)

    def _take(self, callback: Callable[..., object], *args: Any) -> None:
        started = time.thread_time()
        try:
            callback(*args)
        finally:
            self.longest = max(self.longest, time.thread_time() - started)


@dataclass(frozen=True, slots=True)
class Answered:
    """A request, the status of its answer, and the longest step meanwhile, in seconds."""

    case: Case
    status: int
    longest: float


def run(*, tries: int = 1_000) -> Iterator[Finding]:
    """Answer the first ``tries`` of the worst requests, one by one."""
    settings = Settings()
    application = make_application(settings)
    names = [scorer.name for scorer in application.context.models.all()]
    cases = list_cases(read_limits(settings), names)
    answered = answer_all(application, cases[:tries])
    worst = sorted(answered, key=lambda one: -one.longest)[:_SHOWN]
    for one in worst:
        say(f"{one.case.name}: {one.status}, {one.longest * 1e3:.1f} ms")
    yield Finding(
        fault="the event loop is held",
        tried=f"{len(answered):,} of {len(cases):,} requests at the limits in process, one by one; "
        "the processor time of each step of the event loop",
        lost="the longest steps: "
        + "; ".join(f"{one.case.name}: {one.longest * 1e3:.1f} ms" for one in worst),
        promise=f"no step takes longer than {MOST_SECONDS * 1e3:.0f} ms",
        held=worst[0].longest <= MOST_SECONDS,
    )


def read_limits(settings: Settings) -> Mapping[str, Any]:
    """The limits of ``settings`` as ``/v1/models`` names them."""
    return {**settings.model_dump(), "max_explained_texts": MAX_EXPLAINED_TEXTS}


def make_application(settings: Settings) -> Application:
    """The application with the trained models of the store, as the service makes it."""
    metrics, log, models = Metrics(version="trial"), Log(io.StringIO()), Models()
    worker = ThreadPoolExecutor(1)
    scorers = []
    for folder in registry.folders(settings):
        loaded = artifact.load(folder)
        engine = factory.create(loaded, name=settings.engine, log=log)
        scorer = Scorer(
            Classifier(loaded),
            engine,
            limits=QueueLimits.of(settings),
            worker=worker,
            metrics=metrics,
        )
        scorer.calibrate()
        scorers.append(scorer)
    models.open(scorers)
    return create_app(settings=settings, models=models, metrics=metrics, log=log)


def answer_all(application: Application, cases: Sequence[Case]) -> list[Answered]:
    """Answer ``cases`` one after another on a loop that measures its steps."""
    # as the service does once its models are loaded
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    loop = TimedLoop()
    answered = []
    try:
        for case in cases:
            body = case.make_body()
            loop.longest = 0.0
            status = loop.run_until_complete(_exchange(application, case, body))
            answered.append(Answered(case, status, loop.longest))
    finally:
        loop.close()
    return answered


async def _exchange(application: Application, case: Case, body: bytes) -> int:
    """The status of the answer to a request."""
    path, _, query = case.path.partition("?")
    headers = {"host": "127.0.0.1", "content-type": case.media_type, **dict(case.headers)}
    headers["content-length"] = str(len(body))
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": unquote(path),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    pieces = iter(range(0, max(len(body), 1), _PIECE_BYTES))
    gone: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    statuses = []

    async def receive() -> Message:
        await asyncio.sleep(0)
        start = next(pieces, None)
        if start is None:
            return await gone
        end = start + _PIECE_BYTES
        return {"type": "http.request", "body": body[start:end], "more_body": end < len(body)}

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await application(scope, receive, send)
    return statuses[0] if statuses else 0
