"""What a service knows of the aliases of a model in the store, and what they are called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from valence.service.registry.alias_watch import AliasWatch, Sighting
from valence.service.registry.tag import CHAMPION, Tag


class ReloadResult(NamedTuple):
    """A model after a reload; ``previous`` is the version before, which may be the same."""

    model: str
    version: str
    previous: str


@dataclass(slots=True)
class Attempt:
    """The last attempt to serve what an alias means."""

    seen: Sighting | None = None
    refused: Sighting | None = None
    crowded: bool = False
    """Whether it was refused for want of memory."""


@dataclass(slots=True)
class Subscription:
    """A model in the store that the service follows; ``tag`` is what its bare name means there."""

    tag: Tag
    watch: AliasWatch
    attempts: dict[str, Attempt] = field(default_factory=dict)

    @property
    def alias(self) -> str:
        """The alias that the bare name follows; empty if it means one version, or the latest."""
        return self.tag.alias or ("" if self.tag.version else CHAMPION)

    def names_of(self, alias: str) -> tuple[str, ...]:
        """What ``alias`` is called: the bare name, the last one, means it too if it follows it."""
        name = self.tag.name
        return (f"{name}@{alias}", name) if alias == self.alias else (f"{name}@{alias}",)

    @property
    def refused(self) -> bool:
        """Whether the store names a version that was refused."""
        return any(attempt.refused is not None for attempt in self.attempts.values())

    def forget_crowd(self) -> None:
        """Try again what was refused for want of memory: a version has left."""
        for attempt in self.attempts.values():
            if attempt.crowded:
                attempt.refused, attempt.crowded = None, False
