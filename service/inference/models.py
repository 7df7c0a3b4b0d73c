"""The models that one process serves, and the phase of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from enum import Enum

from valence.service.errors import Unavailable, UnknownModel
from valence.service.inference.scorer import Scorer
from valence.service.inference.split import Split
from valence.service.registry.tag import Tag


class Phase(Enum):
    """A process starts once, serves, and drains once."""

    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "leaving"
    """The process still answers but is not ready: clients shall send requests elsewhere."""
    DRAINING = "draining"


class Models:
    """The versions in memory by what they are called; they answer between open and close.

    A version is in memory as long as something names it: the bare ``name``, an alias
    ``name@alias``, or its own ``name:version`` if an operator keeps it (:meth:`keep`). Any resident
    version also answers to ``name:version``.
    """

    def __init__(self, *, hung_seconds: float = 5.0, splits: Iterable[Split] = ()) -> None:
        self._hung_seconds = hung_seconds
        self.splits = {split.name: split for split in splits}
        """How the requests of a bare name are split among its aliases."""
        self.phase = Phase.STARTING
        self.ending = asyncio.Event()
        """Set when the process is told to end; long answers, such as streams, then stop."""
        # what bare names and aliases mean
        self._named: dict[str, Scorer] = {}
        # by name:version, the one first that has not answered for longest
        self._kept: dict[str, Scorer] = {}
        # all of it: a request finds its version by one look-up
        self._scorers: dict[str, Scorer] = {}
        self._replaced: set[Scorer] = set()
        self._default = ""

    def open(self, scorers: Sequence[Scorer] = ()) -> None:
        """Serve ``scorers``, each by its bare name, beside those that were added before."""
        self.add(scorers)
        self.phase = Phase.SERVING

    def add(self, scorers: Sequence[Scorer]) -> None:
        """Have ``scorers`` in memory, each by its bare name; nothing answers before :meth:`open`.

        The first one becomes the default model, if there is none.
        """
        for scorer in scorers:
            self.name(scorer, scorer.name)
            self._default = self._default or scorer.name

    def name(self, scorer: Scorer, *names: str) -> tuple[Scorer, ...]:
        """Let each of ``names``, bare or with an alias, mean ``scorer`` from now on.

        Returns the versions that nothing names any more, which the caller then retires. A request
        that has found one of them ends with it. Raises :class:`Unavailable` while draining; then
        nothing changes.
        """
        self._require_open()
        return self._change(self._named | dict.fromkeys(names, scorer), self._kept)

    def keep(self, scorer: Scorer) -> tuple[Scorer, ...]:
        """Keep ``scorer`` in memory until :meth:`drop`, as :meth:`name` does with a name."""
        self._require_open()
        return self._change(self._named, self._kept | {_tag(scorer): scorer})

    def drop(self, *names: str) -> tuple[Scorer, ...]:
        """Let ``names``, of whatever form, mean nothing; returns what :meth:`name` returns."""
        return self._change(
            {name: scorer for name, scorer in self._named.items() if name not in names},
            {name: scorer for name, scorer in self._kept.items() if name not in names},
        )

    async def retire(self, before: Scorer) -> None:
        """Return when the requests of ``before``, which nothing names, have their answers."""
        try:
            await before.drain()
        finally:
            self._replaced.discard(before)
            before.leave_service(version_stays=self.find(_tag(before)) is not None)

    def find(self, name: str) -> Scorer | None:
        """What ``name`` means now, in any phase; None if it means nothing."""
        return self._scorers.get(name)

    def get(self, name: str | None = None) -> Scorer:
        """The model ``name``, ``name:version`` or ``name@alias``, or the default model.

        Raises :class:`UnknownModel`, or :class:`Unavailable` while starting and draining.
        """
        self.require_serving()
        if name is None:
            return self._scorers[self._default]
        scorer = self._scorers.get(name)
        if scorer is None:
            raise UnknownModel(self._describe_unknown(name))
        if self._kept and name in self._kept:
            # the one that has answered last is the last one
            self._kept[name] = self._kept.pop(name)
        return scorer

    def choose(self, name: str | None, key: str) -> Scorer:
        """As :meth:`get`, but a bare name with a split means the alias that ``key`` has there.

        The share of an alias that is not in memory goes to what the bare name means.
        """
        split = self.splits.get(self._default if name is None else name)
        if split is not None:
            self.require_serving()
            scorer = self._scorers.get(split.choose(key))
            if scorer is not None:
                return scorer
        return self.get(name)

    def all(self) -> tuple[Scorer, ...]:
        """What each bare name means, in the order of :attr:`names`."""
        self.require_serving()
        return tuple(self._named[name] for name in self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The bare names of the models, in the order of the settings."""
        return tuple(name for name, scorer in self._named.items() if name == scorer.name)

    def aliases(self, name: str) -> dict[str, Scorer]:
        """The versions that the aliases of the model ``name`` mean, by alias."""
        prefix = f"{name}@"
        return {
            known.removeprefix(prefix): scorer
            for known, scorer in sorted(self._named.items())
            if known.startswith(prefix)
        }

    def versions(self, name: str) -> tuple[Scorer, ...]:
        """The versions of the model ``name`` in memory, in the order of their names."""
        found = {scorer.version: scorer for scorer in self._scorers.values() if scorer.name == name}
        return tuple(found[version] for version in sorted(found))

    def names_of(self, scorer: Scorer) -> tuple[str, ...]:
        """The bare name and the aliases that mean ``scorer``."""
        return tuple(name for name, meant in self._named.items() if meant is scorer)

    def all_names(self, text: str) -> tuple[str, ...]:
        """``text``, and all names and versions of the model if it is a bare name."""
        return tuple(
            name for name in {**self._kept, **self._named} if text in (name, Tag.parse(name).name)
        )

    def meanings(self) -> dict[tuple[str, str], str]:
        """The version of each alias by model and alias; of the bare name the alias is empty."""
        return {
            (scorer.name, Tag.parse(name).alias): scorer.version
            for name, scorer in self._named.items()
        }

    def remaining_without(self, *names: str) -> tuple[Scorer, ...]:
        """The versions that would be in memory if ``names`` meant nothing."""
        named = (scorer for name, scorer in self._named.items() if name not in names)
        return tuple({*named, *self._kept.values()})

    def kept_alone(self) -> tuple[Scorer, ...]:
        """The versions that no alias and no bare name means, the longest unused one first."""
        named = set(self._named.values())
        return tuple(scorer for scorer in self._kept.values() if scorer not in named)

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
        """Every version in memory, those included that only end their requests."""
        return tuple({*self._scorers.values(), *self._replaced})

    def _change(self, named: dict[str, Scorer], kept: dict[str, Scorer]) -> tuple[Scorer, ...]:
        """Replace all names at once; returns the versions that have none any more."""
        before = set(self._scorers.values())
        versions = {_tag(scorer): scorer for scorer in named.values()}
        self._named, self._kept = named, kept
        self._scorers = {**kept, **versions, **named}
        after = set(self._scorers.values())
        for scorer in after - before:
            scorer.enter_service()
        self._replaced |= before - after
        return tuple(before - after)

    def _require_open(self) -> None:
        if self.phase is Phase.DRAINING:
            raise Unavailable(f"the service is {self.phase.value}; try again shortly")

    def _describe_unknown(self, name: str) -> str:
        base = Tag.parse(name).name
        known = [tag for tag in self._scorers if tag.startswith((f"{base}:", f"{base}@"))]
        served = known or [_tag(scorer) for scorer in self.all()]
        return (
            f"the model {name!r} is not served; the served models are {', '.join(sorted(served))}"
        )


def _tag(scorer: Scorer) -> str:
    return f"{scorer.name}:{scorer.version}"
