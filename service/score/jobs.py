"""Jobs: processes that score the parts of a run, each with a model of its own.

The first process reads the parts and hands them out, and a job scores a part and writes it. A part
is the same whoever writes it. A job that dies leaves its part unwritten, and another job writes it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, forkserver, get_context, parent_process
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import write_file
from valence.service.machine.cores import hold_shared_threads
from valence.service.machine.garbage import spare_loaded_objects
from valence.service.score.parts import Layout
from valence.service.score.recipe import ScorerRecipe
from valence.service.score.sources import Part
from valence.service.score.tally import count_faults, write_tally
from valence.service.score.texts import TextScorer

# Parts of each job that are in memory: one is scored while the next one waits.
_PARTS_OF_JOB = 2
# What a job imports, which takes longer than to load a model.
_MODULES = (
    __name__,
    "valence.service.classifier.artifact",
    "valence.service.classifier.classifier",
    "valence.service.inference.engines.factory",
)
# A part at which so many jobs have died kills the next job too.
_MAX_DEATHS = 3


@dataclass(frozen=True)
class PartWriter:
    """Writes the rows of a part with their scores."""

    scorer: TextScorer
    layout: Layout
    text_column: str

    def write(self, path: Path, part: Part) -> Iterator[int]:
        """Write ``part`` whole or not at all; gives the number of rows that are written now."""
        texts = part.read_texts(self.text_column)
        scores = self.scorer.score(texts)
        content = self.layout.encode(part, scores)
        # before the part, so that a part that is there has its faults
        write_tally(path, count_faults(part, texts, scores))
        # one job at a time writes a part, and the folder may have very many files to look through
        write_file(path, content, unfinished=path.with_suffix(".writing"))
        yield len(part)

    def finish(self) -> Iterator[int]:
        """As :class:`JobPool`; nothing is left to write."""
        return iter(())


@dataclass(frozen=True)
class Jobs:
    """How many jobs score a file, and what they score with; ``tell`` writes for the operator."""

    count: int
    recipe: ScorerRecipe
    tell: Callable[[str], object] = lambda _line: None

    @contextmanager
    def open(self, layout: Layout, text_column: str) -> Iterator[JobPool]:
        """Jobs that have ended at the end of the block, after the parts that they have begun."""
        with hold_shared_threads(self.count):
            pool = JobPool(self, layout, text_column)
            try:
                yield pool
            finally:
                pool.close()


def start_server(jobs: int) -> None:
    """Start the process that jobs are forked from, which loads their modules meanwhile.

    Without a call it starts with the first job.
    """
    get_context("forkserver").set_forkserver_preload(list(_MODULES))
    with hold_shared_threads(jobs):
        forkserver.ensure_running()


@dataclass
class _Order:
    path: Path
    part: Part
    deaths: int = 0


class JobPool:
    """Has jobs write parts, a few at a time, in any order."""

    def __init__(self, jobs: Jobs, layout: Layout, text_column: str) -> None:
        self._jobs = jobs
        self._arguments = (jobs.recipe, layout, text_column)
        self._orders: dict[Future[None], _Order] = {}
        self._executor = self._start()

    def write(self, path: Path, part: Part) -> Iterator[int]:
        """Have a job write ``part``; gives the numbers of rows that are written meanwhile.

        Waits while the jobs have enough to do. Raises what a job raises, and
        :class:`ConfigurationError` if jobs die again and again.
        """
        self._submit(_Order(path, part))
        while len(self._orders) > _PARTS_OF_JOB * self._jobs.count:
            yield self._take()

    def finish(self) -> Iterator[int]:
        """As :meth:`write`, until all parts are written."""
        while self._orders:
            yield self._take()

    def close(self) -> None:
        """Let the jobs finish what they have begun, and end them."""
        self._executor.shutdown(cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        # a fork of this process would copy the threads' locks of numpy and Arrow, held or not
        return ProcessPoolExecutor(
            self._jobs.count,
            mp_context=get_context("forkserver"),
            initializer=_load,
            initargs=self._arguments,
        )

    def _submit(self, order: _Order) -> None:
        try:
            future = self._executor.submit(_write, order.path, order.part)
        except BrokenProcessPool:
            self._replace()
            future = self._executor.submit(_write, order.path, order.part)
        self._orders[future] = order

    def _take(self) -> int:
        done, _ = wait(self._orders, return_when=FIRST_COMPLETED)
        future = done.pop()
        try:
            future.result()
        except BrokenProcessPool:
            self._replace()
            return 0
        return len(self._orders.pop(future).part)

    def _replace(self) -> None:
        """Start other jobs: the library ends all of them when one dies."""
        self._executor.shutdown()
        self._executor = self._start()
        orders, self._orders = list(self._orders.values()), {}
        self._jobs.tell("a job was killed; other jobs write what it had not written")
        for order in orders:
            order.deaths += 1
            if order.deaths == _MAX_DEATHS:
                raise ConfigurationError(
                    f"{_MAX_DEATHS} jobs were killed one after another, perhaps for want of memory"
                    "; start the command again with fewer --jobs, and it goes on"
                )
            self._submit(order)


_writer: PartWriter | None = None


def _load(recipe: ScorerRecipe, layout: Layout, text_column: str) -> None:
    """Prepare this process, which is a job."""
    global _writer  # noqa: PLW0603 - the library gives a task nothing of its process
    # Ctrl-C reaches all processes of a terminal, and the first one ends the jobs
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    _writer = PartWriter(recipe.make(), layout, text_column)
    spare_loaded_objects()


def _end_with_parent() -> None:
    """End this process when the first process has ended, however it has."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _write(path: Path, part: Part) -> None:
    if _writer is None:
        raise RuntimeError("the job has no model")
    for _ in _writer.write(path, part):
        pass
