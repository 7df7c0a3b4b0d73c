"""The follower of a source: keeps the model store of a running service a copy of the source."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from valence.service.errors import ConfigurationError, SourceError
from valence.service.observability.log import Log
from valence.service.observability.metrics.sources import SourceMetrics
from valence.service.pacing import background
from valence.service.registry import bento_store, models
from valence.service.registry.address import Address
from valence.service.registry.tag import Tag
from valence.service.settings import Settings
from valence.service.sources.kinds import open_source
from valence.service.sources.replica import Replica

# a source that fails is asked less and less often, up to so many times the usual pause
_MAX_PAUSES = 20


def enter_store(settings: Settings) -> None:
    """Let the copy of the source be the model store of this process, if settings name a source.

    Raises :class:`ConfigurationError` for an address that names none.
    """
    if settings.model_source:
        address = Address.parse(settings.model_source)
        cache = Path(settings.model_cache or bento_store.home() / "sources")
        bento_store.use(cache / address.digest / "models")


def fill_store(settings: Settings) -> list[str]:
    """Copy the models to serve from the source, before a service starts.

    Returns what could not be copied although an older copy can be served. Raises
    :class:`SourceError` for a model that the settings name and of which there is no copy.
    """
    if not settings.model_source:
        return []
    replica = make_replica(settings)
    faults = []
    for name, tag in models.tags(settings).items():
        try:
            replica.refresh(name, Tag.parse(tag).version, verify=True)
        except SourceError as error:
            if _holds_version(name):
                faults.append(str(error))
            elif settings.models or error.outcome != "missing":
                raise
    return faults


def make_replica(settings: Settings) -> Replica:
    """The replica of the source that the settings name."""
    source = open_source(Address.parse(settings.model_source))
    return Replica(source, max_bytes=settings.model_max_bytes)


def _holds_version(name: str) -> bool:
    folder = bento_store.folder() / name
    return folder.is_dir() and any(path.is_dir() for path in folder.iterdir())


class SourceFollower:
    """Refreshes the copy of the source again and again, in a thread of its own.

    Whatever fails leaves the copy as it was, so the service serves on. A fault is logged once, and
    again when it has changed. All methods belong to the event loop's thread.
    """

    def __init__(self, settings: Settings, metrics: SourceMetrics, log: Log) -> None:
        self._settings = settings
        self._metrics = metrics
        self._log = log
        self._tags = models.tags(settings)
        self._told: dict[str, str] = {}
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="source", initializer=background.enter
        )

    async def follow(self) -> None:
        """Follow the source until the service ends."""
        loop = asyncio.get_running_loop()
        try:
            replica = await loop.run_in_executor(self._thread, make_replica, self._settings)
        except ConfigurationError as error:
            self._log.event("error", "source not followed", reason=str(error))
            return
        for name in self._tags:
            self._metrics.begin(name)
        failures = 0
        while True:
            await asyncio.sleep(self._settings.model_source_seconds * min(2**failures, _MAX_PAUSES))
            followed = [await self._refresh(replica, name) for name in self._tags]
            failures = 0 if all(followed) else min(failures + 1, 10)

    def close(self) -> None:
        """Begin no further look at the source."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _refresh(self, replica: Replica, name: str) -> bool:
        """Whether the copy of ``name`` is what the source means by it."""
        loop = asyncio.get_running_loop()
        version = Tag.parse(self._tags[name]).version
        try:
            change = await loop.run_in_executor(self._thread, replica.refresh, name, version)
        except SourceError as error:
            unwanted = not self._settings.models and error.outcome == "missing"
            if unwanted and not _holds_version(name):
                return True
            self._metrics.fail(name, error.outcome)
            self._tell(name, str(error))
            return False
        except Exception as error:
            # The follower outlives what nobody foresaw.
            self._metrics.fail(name, "unreachable")
            if self._told.get(name) != type(error).__name__:
                self._told[name] = type(error).__name__
                self._log.failure("source not followed", error, model=name)
            return False
        self._metrics.succeed(name, len(change.versions))
        self._told.pop(name, None)
        for version in change.versions:
            self._log.event("info", "model pulled", model=name, version=version)
        return True

    def _tell(self, name: str, reason: str) -> None:
        if self._told.get(name) != reason:
            self._told[name] = reason
            self._log.event("error", "model not pulled", model=name, reason=reason)
