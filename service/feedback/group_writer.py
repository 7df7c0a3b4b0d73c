"""Group commit: requests wait together for one transaction, off the event loop.

A commit waits for the disk. One thread commits what has come while the commit before lasted, so the
number of commits does not grow with the number of requests. On a quick disk that is not enough:
hundreds of small commits a second would take processor time, and the interpreter, from
classification. So commits begin some time apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from valence.service.errors import Overloaded, Unavailable
from valence.service.feedback.record import Record
from valence.service.observability.log import Log

if TYPE_CHECKING:
    from valence.service.feedback.store import Store

# What may wait for a commit. A commit of a thousand records takes some hundredths of a second.
MAX_WAITING = 8_192
_GROUP_RECORDS = 1_024
# From the beginning of a commit to that of the next one, at least.
_COMMIT_SECONDS = 0.01
# how often records are looked for that are too old
_PURGE_SECONDS = 3_600.0
_DAY_SECONDS = 86_400.0


class _Written(NamedTuple):
    """Records that a request waits for."""

    records: Sequence[Record]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class GroupWriter:
    """Writes records to the store that ``open_store`` opens, in groups, in a thread of its own.

    Records older than ``days`` are deleted; 0 keeps them.
    """

    def __init__(self, open_store: Callable[[], Store], log: Log, *, days: float = 0.0) -> None:
        self._open_store = open_store
        self._log = log
        self._days = days
        self._queue: queue.SimpleQueue[_Written | None] = queue.SimpleQueue()
        self._waiting = 0
        self._failing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, which also deletes what is too old.

        Raises :class:`ConfigurationError` for an address that cannot be one of a database.
        """
        if self._thread is None:
            store = self._open_store()
            self._thread = threading.Thread(
                target=self._run, args=(store,), name="feedback", daemon=True
            )
            self._thread.start()

    async def write(self, records: Sequence[Record]) -> None:
        """Return when ``records`` are on the disk.

        Raises :class:`Overloaded` if too many records wait, and :class:`Unavailable` if the
        database does not take them; then none of ``records`` counts as stored.
        """
        self.start()
        # what waits for nobody may have any size: its request is within the limits of one
        if self._waiting and self._waiting + len(records) > MAX_WAITING:
            raise Overloaded(
                f"{self._waiting} records wait for the feedback database, {MAX_WAITING} may; try "
                "again after the time in Retry-After",
                retry_after_seconds=1.0,
            )
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting += len(records)
        try:
            self._queue.put(_Written(records, loop, done))
            await done
        finally:
            self._waiting -= len(records)

    async def close(self) -> None:
        """Return when all that was given is written."""
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _run(self, store: Store) -> None:
        next_purge = next_commit = time.monotonic()
        try:
            while True:
                if self._days and time.monotonic() >= next_purge:
                    next_purge = time.monotonic() + _PURGE_SECONDS
                    self._purge(store)
                try:
                    wait = max(next_purge - time.monotonic(), 0.0) if self._days else None
                    first = self._queue.get(timeout=wait)
                except queue.Empty:
                    continue
                if first is None:
                    return
                time.sleep(max(next_commit - time.monotonic(), 0.0))
                next_commit = time.monotonic() + _COMMIT_SECONDS
                group, ended = self._gather(first)
                self._write(store, group)
                if ended:
                    return
        finally:
            store.close()

    def _gather(self, first: _Written) -> tuple[list[_Written], bool]:
        """What waits now, ``first`` first, up to a bound; and whether the writer is to end."""
        group, count = [first], len(first.records)
        while count < _GROUP_RECORDS:
            try:
                written = self._queue.get_nowait()
            except queue.Empty:
                break
            if written is None:
                return group, True
            group.append(written)
            count += len(written.records)
        return group, False

    def _write(self, store: Store, group: Sequence[_Written]) -> None:
        try:
            store.write([record for written in group for record in written.records])
        except Exception as error:
            # the type alone: a message may have what a client sent
            if not self._failing:
                self._log.event("error", "feedback not stored", type=type(error).__name__)
            self._failing = True
            failure: Exception | None = Unavailable(
                "the feedback database did not take this feedback, and nothing of it is stored; "
                "send it again"
            )
        else:
            if self._failing:
                self._log.event("info", "feedback stored again")
            self._failing = False
            failure = None
        for loop in {written.loop for written in group}:
            mine = iter([written.done for written in group if written.loop is loop])
            # a loop that has ended waits for nothing
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_finish, loop, mine, failure)

    def _purge(self, store: Store) -> None:
        try:
            deleted = store.delete_before(time.time() - self._days * _DAY_SECONDS)
        except Exception as error:
            self._log.event("error", "old feedback not deleted", type=type(error).__name__)
        else:
            if deleted:
                self._log.event("info", "old feedback deleted", records=deleted)


def _finish(
    loop: asyncio.AbstractEventLoop,
    futures: Iterator[asyncio.Future[None]],
    failure: Exception | None,
) -> None:
    """Answer the next request of a group, and the others in later turns of the loop.

    All in one turn would let a classification that comes meanwhile wait for the whole group.
    """
    for future in futures:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
        loop.call_soon(_finish, loop, futures, failure)
        return
