"""The models that one process serves, and the phase of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum

from valence.service.errors import Unavailable, UnknownModel
from valence.service.inference.scorer import Scorer


class Phase(Enum):
    """A process starts once, serves, and drains once."""

    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "leaving"
    """The process still answers but is not ready: clients shall send requests elsewhere."""
    DRAINING = "draining"


class Models:
    """The served models by name; they answer between :meth:`open` and :meth:`close`."""

    def __init__(self, *, hung_seconds: float = 5.0) -> None:
        self._hung_seconds = hung_seconds
        self.phase = Phase.STARTING
        self.ending = asyncio.Event()
        """Set when the process is told to end; long answers, such as streams, then stop."""
        self._scorers: dict[str, Scorer] = {}
        self._replaced: set[Scorer] = set()
        self._default = ""

    def open(self, scorers: Sequence[Scorer]) -> None:
        """Serve ``scorers``; the first one answers requests without a model."""
        self._scorers = {scorer.name: scorer for scorer in scorers}
        self._default = scorers[0].name
        self.phase = Phase.SERVING
        for scorer in scorers:
            scorer.enter_service()

    def replace(self, scorer: Scorer) -> Scorer:
        """Serve ``scorer`` in place of the version before, which the caller then retires.

        A request that has the version before ends with it, and later requests find ``scorer``.
        Raises :class:`UnknownModel` for a name that is not served, and :class:`Unavailable` while
        starting and draining; then nothing changes.
        """
        before = self.get(scorer.name)
        self._scorers[scorer.name] = scorer
        scorer.enter_service()
        self._replaced.add(before)
        return before

    async def retire(self, before: Scorer) -> None:
        """Return when the requests of ``before``, which was replaced, have their answers."""
        try:
            await before.drain()
        finally:
            self._replaced.discard(before)
            now = self._scorers[before.name]
            before.leave_service(version_stays=before.version == now.version)

    def renew(self, scorer: Scorer) -> Scorer:
        """The version that is served now under the name of ``scorer``."""
        return self._scorers[scorer.name]

    def find(self, name: str) -> Scorer | None:
        """What ``name`` means now, in any phase; None if it means nothing."""
        return self._scorers.get(name)

    def get(self, name: str | None = None) -> Scorer:
        """The model ``name`` or ``name:version``, or the default model.

        Raises :class:`UnknownModel`, or :class:`Unavailable` while starting and draining.
        """
        self.require_serving()
        if name is None:
            return self._scorers[self._default]
        scorer = self._scorers.get(name)
        if scorer is not None:
            return scorer
        base, _, version = name.partition(":")
        scorer = self._scorers.get(base)
        if scorer is not None and version == scorer.version:
            return scorer
        served = ", ".join(f"{scorer.name}:{scorer.version}" for scorer in self._scorers.values())
        raise UnknownModel(f"the model {name!r} is not served; the served models are {served}")

    def all(self) -> tuple[Scorer, ...]:
        """Every served model, in the order of the settings."""
        self.require_serving()
        return tuple(self._scorers.values())

    @property
    def default(self) -> str:
        """The name of the model that answers requests without a model."""
        return self._default

    def require_serving(self) -> None:
        """Raise :class:`Unavailable` while starting and draining."""
        if self.phase is not Phase.SERVING and self.phase is not Phase.LEAVING:
            raise Unavailable(f"the service is {self.phase.value}; try again shortly")

    @property
    def alive(self) -> bool:
        """False when an engine has hung; only a new process helps then.

        A normal batch lasts less than a thousandth of ``hung_seconds``.
        """
        return all(scorer.busy_seconds < self._hung_seconds for scorer in self._resident())

    @property
    def busy(self) -> bool:
        """Whether a text waits for an engine, or the thread of the engines computes a batch."""
        return any(
            scorer.admission.queue.items or scorer.busy_seconds for scorer in self._resident()
        )

    def report(self) -> None:
        """Write the state of the queues into the metrics."""
        for scorer in self._resident():
            scorer.report()

    def leave(self) -> None:
        """Ask clients to send requests elsewhere, and answer the requests that still come."""
        if self.phase is Phase.SERVING:
            self.phase = Phase.LEAVING

    async def close(self) -> None:
        """Admit no more requests, and return when each admitted request has its answer."""
        self.ending.set()
        self.phase = Phase.DRAINING
        await asyncio.gather(*(scorer.drain() for scorer in self._resident()))

    def _resident(self) -> tuple[Scorer, ...]:
        return (*self._scorers.values(), *self._replaced)
