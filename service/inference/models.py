"""The models one process serves, and where the process is in its life."""

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
    """Still answering, but no longer ready: whoever sends requests is to send them elsewhere."""
    DRAINING = "draining"


class Models:
    """Served models by name; nothing is answered before :meth:`open` and after :meth:`close`."""

    def __init__(self, *, hung_seconds: float = 5.0) -> None:
        self._hung_seconds = hung_seconds
        self.phase = Phase.STARTING
        self.ending = asyncio.Event()
        """Set when the process was told to end; what would go on for long then stops."""
        self._scorers: dict[str, Scorer] = {}
        self._default = ""

    def open(self, scorers: Sequence[Scorer]) -> None:
        """Serve ``scorers``; the first answers who names no model."""
        self._scorers = {scorer.name: scorer for scorer in scorers}
        self._default = scorers[0].name
        self.phase = Phase.SERVING

    def get(self, name: str | None = None) -> Scorer:
        """The model ``name`` or ``name:version``, or the default one.

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
        served = ", ".join(f"{other.name}:{other.version}" for other in self._scorers.values())
        raise UnknownModel(f"the model {name!r} is not served; the served models are {served}")

    def require_room(self, *, characters: int, texts: int, within_seconds: float) -> None:
        """Raise :class:`Overloaded` if the default model has no room for so many characters."""
        if self.phase is Phase.SERVING:
            self._scorers[self._default].require_room(
                characters=characters, texts=texts, within_seconds=within_seconds
            )

    def all(self) -> tuple[Scorer, ...]:
        """Every served model, in the order of the settings."""
        self.require_serving()
        return tuple(self._scorers.values())

    @property
    def default(self) -> str:
        """Who answers a request that names no model."""
        return self._default

    def require_serving(self) -> None:
        """Raise :class:`Unavailable` while starting and draining."""
        if self.phase is not Phase.SERVING and self.phase is not Phase.LEAVING:
            raise Unavailable(f"the service is {self.phase.value}; try again shortly")

    @property
    def alive(self) -> bool:
        """False when an engine has hung; nothing but a new process helps then.

        No batch is meant to last a thousandth of ``hung_seconds``.
        """
        return all(scorer.busy_seconds < self._hung_seconds for scorer in self._scorers.values())

    def report(self) -> None:
        """Write what waits into the metrics."""
        for scorer in self._scorers.values():
            scorer.report()

    def leave(self) -> None:
        """Say that no more requests are wanted, and answer those that come all the same."""
        if self.phase is Phase.SERVING:
            self.phase = Phase.LEAVING

    async def close(self) -> None:
        """Admit nothing more, and return when everything admitted has its answer."""
        self.ending.set()
        self.phase = Phase.DRAINING
        await asyncio.gather(*(scorer.drain() for scorer in self._scorers.values()))
