"""``valence.AsyncClient``: calls of a service from an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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


class AsyncClient:
    """As :class:`valence.Client`, for one event loop: calls are awaited, a stream is iterated.

    ``http`` is an ``httpx.AsyncClient`` here.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout: float = SECONDS,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._address = make_address(url, key)
        self._seconds = require_seconds(timeout)
        self._httpx = import_httpx()
        self._owned = http is None
        self._http: httpx.AsyncClient = self._httpx.AsyncClient() if http is None else http
        self._calls = Calls()

    # `timeout` is a part of the call and not of the wait for it: it bounds repeated requests
    async def classify(
        self,
        texts: str | Texts,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        **options: Unpack[Options],
    ) -> Answer:
        """See :meth:`valence.Client.classify`."""
        return await self._run(self._calls.classify(texts, options, self._find_seconds(timeout)))

    async def explain(
        self,
        texts: str | Texts,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        **options: Unpack[Options],
    ) -> Answer:
        """See :meth:`valence.Client.explain`."""
        asked = {**options, "explain": True}
        return await self._run(self._calls.classify(texts, asked, self._find_seconds(timeout)))

    async def stream(
        self,
        texts: Texts,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        **options: Unpack[Options],
    ) -> AsyncIterator[Result | ItemError]:
        """See :meth:`valence.Client.stream`."""
        seconds = self._find_seconds(timeout)
        for batch in await self._run(self._calls.cut(iter_texts(texts), options, seconds)):
            answer = await self._run(self._calls.classify_batch(batch, options, seconds))
            for item in list_items(answer):
                yield item

    async def models(self, *, timeout: float | None = None) -> list[ModelCard]:  # noqa: ASYNC109
        """See :meth:`valence.Client.models`."""
        return await self._run(self._calls.list_models(self._find_seconds(timeout)))

    async def model(self, name: str, *, timeout: float | None = None) -> ModelCard:  # noqa: ASYNC109
        """See :meth:`valence.Client.model`."""
        return await self._run(self._calls.show_model(name, self._find_seconds(timeout)))

    async def close(self) -> None:
        """See :meth:`valence.Client.close`."""
        if self._owned:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self._address})"

    def _find_seconds(self, timeout: float | None) -> float:
        return self._seconds if timeout is None else require_seconds(timeout)

    async def _run(self, steps: Steps[_Value]) -> _Value:
        reply: Reply | Failure | None = None
        try:
            while True:
                step = steps.send(reply)
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    reply = None
                else:
                    reply = await self._send(step)
        except StopIteration as end:
            value: _Value = end.value
            return value

    async def _send(self, request: Request) -> Reply | Failure:
        try:
            async with asyncio.timeout(request.seconds):
                response = await self._http.request(**self._address.fill(request))
        except TimeoutError:
            return LATE
        except self._httpx.RequestError as error:
            return describe_failure(error)
        return Reply(response.status_code, dict(response.headers), response.content)
