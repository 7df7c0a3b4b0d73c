"""The reloads of a service: a promoted version is served without a restart."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from valence.service.errors import ArtifactError, ReloadRefused, Unavailable, ValenceError
from valence.service.inference.model_loader import ModelLoader
from valence.service.inference.models import Models
from valence.service.inference.reload.candidate import Refusal, prepare
from valence.service.inference.reload.marks import ReloadMarks
from valence.service.inference.scorer import Scorer
from valence.service.registry import champion, models
from valence.service.registry.champion_watch import ChampionWatch, Sighting

Result = TypeVar("Result")

_NICENESS = 5


class Reloaded(NamedTuple):
    """A model after a reload; ``previous`` is the version before, which may be the same."""

    model: str
    version: str
    previous: str


@dataclass(slots=True)
class _Followed:
    """What is known of a model in the store."""

    tag: str
    watch: ChampionWatch
    seen: Sighting | None = None
    refused: Sighting | None = None

    @property
    def pinned(self) -> bool:
        """Whether the tag names one version, or the latest one, and so no champion."""
        return self.tag.partition(":")[2] not in ("", champion.ALIAS)


class Reloads:
    """Serves the versions that the model store names, in place of those served before.

    One version is loaded at a time, in a thread of its own: the event loop only swaps it in. A
    version that is refused leaves the version before as it was. All methods belong to the event
    loop's thread.
    """

    def __init__(self, loader: ModelLoader, served: Models) -> None:
        self._loader = loader
        self._models = served
        self._log = loader.log
        self._metrics = loader.metrics.reloads
        self._seconds = loader.settings.reload_seconds
        self._tags = models.tags(loader.settings)
        self._followed: dict[str, _Followed] = {}
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="reload", initializer=_yield_to_requests
        )
        self._turn = asyncio.Lock()
        self._marks = ReloadMarks(loader.metrics.folder)
        self._retiring: set[asyncio.Task[None]] = set()
        self._failures: set[type[Exception]] = set()

    async def follow(self) -> None:
        """Look at the store again and again, and serve what it names, until the service ends."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                for scorer in self._models.all():
                    await self._follow_champion(scorer.name)
            except Unavailable:
                return
            except Exception as error:
                # The watch outlives what nobody foresaw, and tells each kind of it once.
                if type(error) not in self._failures:
                    self._failures.add(type(error))
                    self._log.failure("model watch failed", error)

    async def reload(self, name: str) -> Reloaded:
        """Serve what the model store means by the tag of ``name`` now, here and in other workers.

        Without a champion this is the latest version. Raises :class:`UnknownModel`,
        :class:`Unavailable`, and :class:`ReloadRefused` with the reason.
        """
        answer = await self._reload(self._models.get(name).name)
        self._marks.put(answer.model)
        return answer

    async def follow_marks(self) -> None:
        """Look once for what other workers have reloaded on demand, and reload it here."""
        # a refusal is in the log and the metrics; the folder ends with the server
        with contextlib.suppress(ValenceError, OSError):
            for name in self._marks.take():
                await self._reload(name)

    async def _reload(self, name: str) -> Reloaded:
        followed = self._find_followed(name)
        sighting = await self._run(followed.watch.look)
        try:
            return await self._renew(name, followed)
        except Refusal as refusal:
            followed.refused = sighting
            version = self._models.get(name).version
            raise ReloadRefused(f"{refusal}; {name}:{version} serves on") from None

    def close(self) -> None:
        """Begin no further reload."""
        for retiring in self._retiring:
            retiring.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _follow_champion(self, name: str) -> None:
        followed = self._find_followed(name)
        if followed.pinned:
            return
        sighting = await self._run(followed.watch.look)
        seen, followed.seen = followed.seen, sighting
        served = self._models.get(name).version
        if not sighting.fault and sighting.version in ("", served):
            if followed.refused is not None:
                followed.refused = None
                self._metrics.clear(name)
            return
        # a version that was refused is tried again once its files have changed and stay
        if followed.refused is not None and (sighting == followed.refused or sighting != seen):
            return
        try:
            await self._renew(name, followed)
        except Refusal:
            followed.refused = sighting

    async def _renew(self, name: str, followed: _Followed) -> Reloaded:
        """Serve what the tag means; counts and logs it, and raises :class:`Refusal`."""
        async with self._turn:
            started = time.perf_counter()
            served = self._models.get(name)
            try:
                scorer = await self._run(lambda: self._load(followed.tag, served))
            except Refusal as refusal:
                self._metrics.count(name, refusal.outcome)
                self._log.event(
                    "error",
                    "model not reloaded",
                    model=name,
                    serving=served.version,
                    outcome=refusal.outcome,
                    reason=str(refusal),
                )
                raise
            followed.refused = None
            if scorer is None:
                self._metrics.clear(name)
                return Reloaded(name, served.version, served.version)
            retiring = asyncio.create_task(self._retire(self._models.replace(scorer)))
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)
            self._metrics.count(name, "reloaded")
            self._log.event(
                "info",
                "model reloaded",
                model=name,
                version=scorer.version,
                previous=served.version,
                seconds=round(time.perf_counter() - started, 3),
            )
            return Reloaded(name, scorer.version, served.version)

    def _load(self, tag: str, served: Scorer) -> Scorer | None:
        """The scorer of ``tag``, ready to be served; None if its version is served already."""
        # Of an unexpected error the log may have the type alone: its message could quote a text.
        try:
            try:
                folder = models.find_folder(tag)
            except ArtifactError as error:
                raise Refusal("damaged", str(error)) from None
            return None if folder.name == served.version else prepare(self._loader, folder, served)
        except Refusal:
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, ValenceError) else type(error).__name__
            raise Refusal("failed", f"{tag} could not be loaded: {reason}") from None

    async def _retire(self, before: Scorer) -> None:
        """Free the version before once its requests have their answers."""
        await self._models.retire(before)
        del before
        # What is left of it in circles of references is freed now: the collector rarely looks at
        # old objects. The models of the start are frozen, so there are few to look at.
        await self._run(gc.collect)

    def _find_followed(self, name: str) -> _Followed:
        followed = self._followed.get(name)
        if followed is None:
            # it imports BentoML, which whoever imports the service need not have
            from valence.service.registry import bento_store

            watch = ChampionWatch(bento_store.folder() / name)
            followed = self._followed[name] = _Followed(self._tags.get(name, name), watch)
            self._metrics.begin(name)
        return followed

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _yield_to_requests() -> None:
    """Let the thread that loads have only the time of a core that requests leave.

    Linux has a priority for each thread. With a very low one, a thread that holds the interpreter's
    lock would wait long for a core that other programs want too.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
