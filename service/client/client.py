"""``valence.Client``: calls of a service from threads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

from valence.service.api.v1.cards import ModelCard
from valence.service.api.v1.schemas import ItemError, Result
from valence.service.client.address import (
    DEFAULT_URL,
    LATE,
    SECONDS,
    describe_failure,
    import_httpx,
    make_address,
    require_seconds,
)
from valence.service.client.answer import Answer, Options, list_items
from valence.service.client.calls import Calls
from valence.service.client.exchange import Failure, Pause, Reply, Request, Steps
from valence.service.estimator.texts import Texts, iter_texts

if TYPE_CHECKING:
    import httpx

_Value = TypeVar("_Value")


class Client:
    """Calls a service. Any number of threads may use one client.

    ``key`` is an API key. ``timeout`` is the time of a call in seconds, with repeated requests and
    the pauses between them; of a stream it is the time of each request. ``http`` is an
    ``httpx.Client`` of your own, for certificates, proxies and the like, which you close.

    A request that the service refuses for now is repeated after the time that ``Retry-After``
    names. Raises :class:`ConfigurationError` for an address, a key or a time that cannot be used,
    and without httpx.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout: float = SECONDS,
        http: httpx.Client | None = None,
    ) -> None:
        self._address = make_address(url, key)
        self._seconds = require_seconds(timeout)
        self._httpx = import_httpx()
        self._owned = http is None
        self._http: httpx.Client = self._httpx.Client() if http is None else http
        self._calls = Calls()

    def classify(
        self, texts: str | Texts, *, timeout: float | None = None, **options: Unpack[Options]
    ) -> Answer:
        """Classify one text, or any number of texts in as many requests as they need.

        The ``options`` are those of ``POST /v1/classify``. A text of several that the service
        refuses is an error of the answer. Raises :class:`InvalidTexts` before the first request
        for anything but texts; :class:`ServiceRefused` and :class:`ServiceUnreachable`.
        """
        return self._run(self._calls.classify(texts, options, self._find_seconds(timeout)))

    def explain(
        self, texts: str | Texts, *, timeout: float | None = None, **options: Unpack[Options]
    ) -> Answer:
        """Classify as :meth:`classify` does; each result has an ``explanation`` too."""
        asked = {**options, "explain": True}
        return self._run(self._calls.classify(texts, asked, self._find_seconds(timeout)))

    def stream(
        self, texts: Texts, *, timeout: float | None = None, **options: Unpack[Options]
    ) -> Iterator[Result | ItemError]:
        """A result or an error for each text, in order, while ``texts`` is read.

        One request is in memory at a time, so there may be more texts than memory. An error that
        does not pass within ``timeout`` ends the stream, after the results of all texts before.
        """
        seconds = self._find_seconds(timeout)
        for batch in self._run(self._calls.cut(iter_texts(texts), options, seconds)):
            yield from list_items(self._run(self._calls.classify_batch(batch, options, seconds)))

    def models(self, *, timeout: float | None = None) -> list[ModelCard]:
        """The models that are served, with their labels, limits and figures."""
        return self._run(self._calls.list_models(self._find_seconds(timeout)))

    def model(self, name: str, *, timeout: float | None = None) -> ModelCard:
        """One model, by ``name`` or ``name:version``."""
        return self._run(self._calls.show_model(name, self._find_seconds(timeout)))

    def close(self) -> None:
        """Close the connections; an ``http`` that was given stays open."""
        if self._owned:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._address})"

    def _find_seconds(self, timeout: float | None) -> float:
        return self._seconds if timeout is None else require_seconds(timeout)

    def _run(self, steps: Steps[_Value]) -> _Value:
        reply: Reply | Failure | None = None
        try:
            while True:
                step = steps.send(reply)
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    reply = None
                else:
                    reply = self._send(step)
        except StopIteration as end:
            value: _Value = end.value
            return value

    def _send(self, request: Request) -> Reply | Failure:
        deadline = time.monotonic() + request.seconds
        content = bytearray()
        try:
            with self._http.stream(**self._address.fill(request)) as response:
                # the time limit of httpx is for each read, and an answer may take many
                for chunk in response.iter_bytes():
                    content += chunk
                    if time.monotonic() > deadline:
                        return LATE
                return Reply(response.status_code, dict(response.headers), bytes(content))
        except self._httpx.RequestError as error:
            return describe_failure(error)
