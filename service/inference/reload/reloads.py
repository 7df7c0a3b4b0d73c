"""The reloads of a service: what the model store names is served without a restart."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from functools import partial

from valence.service.classifier.architecture import Architecture
from valence.service.errors import ReloadRefused, UnknownModel, ValenceError
from valence.service.inference.model_loader import ModelLoader
from valence.service.inference.models import Models, Phase
from valence.service.inference.reload.candidate import Refusal, find_or_prepare
from valence.service.inference.reload.load_thread import LoadThread
from valence.service.inference.reload.marks import ReloadMarks
from valence.service.inference.reload.release import release
from valence.service.inference.reload.room import choose_leaving
from valence.service.inference.reload.subscription import Attempt, ReloadResult, Subscription
from valence.service.inference.reload.unload_rule import require_leavable
from valence.service.inference.scorer import Scorer
from valence.service.registry import models
from valence.service.registry.alias_watch import AliasWatch, Sighting
from valence.service.registry.names import describe_unknown
from valence.service.registry.tag import Tag


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
        self._subscriptions: dict[str, Subscription] = {}
        self._thread = LoadThread()
        self._turn = asyncio.Lock()
        self._marks = ReloadMarks(loader.metrics.folder)
        self._retiring: set[asyncio.Task[None]] = set()
        self._failures: set[type[Exception]] = set()

    async def follow(self) -> None:
        """Look at the store again and again, and serve what it names, until the service ends."""
        while self._models.phase is not Phase.DRAINING:
            await asyncio.sleep(self._seconds)
            await self.look()

    async def look(self) -> None:
        """Serve what the aliases in the store mean now; faults are told and end nothing."""
        self._metrics.set_meanings(self._models.meanings())
        for name in self._models.names:
            try:
                # it may have been unloaded while others were looked at
                if self._models.find(name) is not None:
                    await self._follow_model(name)
            except UnknownModel:
                continue
            except Exception as error:
                # The watch outlives what nobody foresaw, and tells each kind of it once.
                if type(error) not in self._failures and self._models.phase is not Phase.DRAINING:
                    self._failures.add(type(error))
                    self._log.failure("model watch failed", error)

    async def reload(self, name: str) -> ReloadResult:
        """Serve what the model store means by the bare ``name`` now, here and in other workers.

        Without a champion this is the latest version. Raises :class:`UnknownModel`,
        :class:`Unavailable`, and :class:`ReloadRefused` with the reason.
        """
        return await self._serve_everywhere(self._models.get(name).name)

    async def follow_marks(self) -> None:
        """Look once for what other workers have reloaded on demand, and reload it here."""
        # a refusal is in the log and the metrics; the folder ends with the server
        with contextlib.suppress(ValenceError, OSError):
            for name in self._marks.take():
                await self._serve(name)

    async def load(self, text: str) -> ReloadResult:
        """Have ``text`` of the store in memory: a bare name, a version, or an alias.

        A version stays until :meth:`unload`, or until it gives way to another one. Raises
        :class:`UnknownModel` for what the store does not hold, and what :meth:`reload` raises.
        """
        self._models.require_serving()
        tag = Tag.parse(text)
        if tag.version or tag.alias:
            self._require_one_worker()
        held = await self.list_store()
        of_name = [one for one in held if one.name == tag.name]
        if not of_name:
            raise UnknownModel(describe_unknown(text, map(str, held)))
        if tag.version and tag not in of_name:
            known = ", ".join(map(str, of_name))
            raise UnknownModel(f"the model store does not have {text!r}; it has {known}")
        if not (tag.version or tag.alias):
            return await self._serve_everywhere(tag.name)
        subscription = self._find_subscription(tag.name)
        names = subscription.names_of(tag.alias) if tag.alias else ()
        try:
            return await self._renew(subscription, tag, names)
        except Refusal as refusal:
            raise ReloadRefused(str(refusal)) from None

    async def list_store(self) -> list[Tag]:
        """The versions of all models in the store."""
        return await self._thread.run(models.list_tags)

    async def unload(self, text: str) -> Scorer:
        """Let go of ``name:version``, or of all versions of ``name``; returns what it meant.

        Raises :class:`UnknownModel`, and :class:`ReloadRefused` for what answers requests without a
        model, or by an alias.
        """
        self._require_one_worker()
        async with self._turn:
            scorer, tag = require_leavable(self._models, text), Tag.parse(text)
            self._settle(self._models.drop(*self._models.all_names(text)))
            if not tag.version:
                self._metrics.set_refused(tag.name, refused=False)
                self._subscriptions.pop(tag.name, None)
            self._log.event("info", "model unloaded", model=scorer.name, names=(text,))
            return scorer

    def close(self) -> None:
        """Begin no further reload."""
        for retiring in self._retiring:
            retiring.cancel()
        self._thread.close()

    async def _serve_everywhere(self, name: str) -> ReloadResult:
        answer = await self._serve(name)
        self._marks.put(name)
        return answer

    async def _serve(self, name: str) -> ReloadResult:
        """Let the bare ``name`` mean what the store means by it."""
        subscription = self._find_subscription(name)
        sighting = (await self._thread.run(subscription.watch.look)).get(subscription.alias)
        names = (name,) if sighting is None else subscription.names_of(subscription.alias)
        try:
            return await self._renew(subscription, subscription.tag, names)
        except Refusal as refusal:
            served = self._models.find(name)
            if served is None:
                raise ReloadRefused(str(refusal)) from None
            attempt = subscription.attempts.setdefault(subscription.alias, Attempt())
            attempt.refused = sighting or Sighting()
            self._metrics.set_refused(name, refused=True)
            raise ReloadRefused(f"{refusal}; {name}:{served.version} serves on") from None

    async def _follow_model(self, name: str) -> None:
        subscription = self._find_subscription(name)
        sightings = await self._thread.run(subscription.watch.look)
        async with self._turn:
            for alias in self._models.aliases(name).keys() - sightings.keys():
                self._settle(self._models.drop(f"{name}@{alias}"))
                self._log.event("info", "alias deleted", model=name, alias=alias)
        subscription.attempts = {
            alias: subscription.attempts.get(alias) or Attempt() for alias in sightings
        }
        for alias, sighting in sightings.items():
            await self._follow_alias(subscription, alias, sighting)
        self._metrics.set_refused(name, refused=subscription.refused)

    async def _follow_alias(
        self, subscription: Subscription, alias: str, sighting: Sighting
    ) -> None:
        names, attempt = subscription.names_of(alias), subscription.attempts[alias]
        seen, attempt.seen = attempt.seen, sighting
        meant = [self._models.find(name) for name in names]
        if not sighting.fault and all(
            scorer is not None and scorer.version == sighting.version for scorer in meant
        ):
            attempt.refused = None
            return
        # a version that was refused is tried again once its files have changed and stay
        if attempt.refused is not None and (sighting == attempt.refused or sighting != seen):
            return
        try:
            await self._renew(subscription, Tag(subscription.tag.name, alias=alias), names)
        except Refusal as refusal:
            attempt.refused, attempt.crowded = sighting, refusal.outcome == "no_room"

    async def _renew(
        self, subscription: Subscription, tag: Tag, names: tuple[str, ...]
    ) -> ReloadResult:
        """Let ``names`` mean what ``tag`` means in the store; counts, logs and raises refusals.

        Without ``names`` the version is kept under its own.
        """
        name = tag.name
        async with self._turn:
            if self._subscriptions.get(name) is not subscription:
                raise UnknownModel(f"{name} was unloaded meanwhile; load it again")
            started = time.perf_counter()
            before = self._models.find(names[-1] if names else str(tag))
            previous = "" if before is None else before.version
            try:
                scorer, loaded = await self._load(tag, names)
            except Refusal as refusal:
                self._metrics.count(name, refusal.outcome)
                self._log.event(
                    "error",
                    "model not reloaded",
                    model=name,
                    names=names or (str(tag),),
                    serving=previous,
                    outcome=refusal.outcome,
                    reason=str(refusal),
                )
                raise
            self._settle(self._models.name(scorer, *names) if names else self._models.keep(scorer))
            if loaded or previous not in ("", scorer.version):
                self._metrics.count(name, "reloaded")
                self._log.event(
                    "info",
                    "model reloaded",
                    model=name,
                    names=names or (str(tag),),
                    version=scorer.version,
                    previous=previous,
                    seconds=round(time.perf_counter() - started, 3),
                )
            attempt = subscription.attempts.get(tag.alias or subscription.alias)
            if names and attempt is not None:
                attempt.refused = None
            self._metrics.set_refused(name, refused=subscription.refused)
            return ReloadResult(name, scorer.version, previous or scorer.version)

    async def _load(self, tag: Tag, names: tuple[str, ...]) -> tuple[Scorer, bool]:
        """The scorer of ``tag`` for ``names``, ready to be served, and whether it was loaded now.

        Versions that give way to it leave once it is loaded; what a bare name means is served
        whatever the memory budget. Raises :class:`Refusal`.
        """
        served = self._models.find(tag.name)
        resident = {scorer.version: scorer for scorer in self._models.versions(tag.name)}
        others, idle = self._models.remaining_without(*names), self._models.kept_alone()
        budget = self._loader.settings.resident_bytes
        required = served is not None and tag.name in names
        leaving: list[Scorer] = []

        def make_room(architecture: Architecture) -> None:
            leaving.extend(
                choose_leaving(architecture, others, idle, budget_bytes=budget, required=required)
            )

        scorer, loaded = await self._thread.run(
            lambda: find_or_prepare(self._loader, str(tag), resident, served, make_room)
        )
        self._settle(self._models.drop(*(f"{one.name}:{one.version}" for one in leaving)))
        return scorer, loaded

    def _settle(self, left: Sequence[Scorer]) -> None:
        """Free the versions that nothing names any more once their requests have answers."""
        self._metrics.set_meanings(self._models.meanings())
        if left:
            for subscription in self._subscriptions.values():
                subscription.forget_crowd()
        for scorer in left:
            retiring = asyncio.create_task(self._free(scorer))
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)

    async def _free(self, before: Scorer) -> None:
        await self._models.retire(before)
        held = [before]
        del before
        await self._thread.run(partial(release, held))

    def _find_subscription(self, name: str) -> Subscription:
        subscription = self._subscriptions.get(name)
        if subscription is None:
            # it imports BentoML, which whoever imports the service need not have
            from valence.service.registry import bento_store

            watch = AliasWatch(bento_store.folder() / name)
            tag = Tag.parse(self._tags.get(name, name))
            subscription = self._subscriptions[name] = Subscription(tag, watch)
            self._metrics.begin(name)
        return subscription

    def _require_one_worker(self) -> None:
        if self._loader.metrics.shared:
            raise ReloadRefused(
                "a request reaches one of the workers of this service, and all of them follow "
                "aliases; name the version with `valence alias set NAME@ALIAS VERSION`"
            )
