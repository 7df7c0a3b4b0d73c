"""The model of a job on a cluster: the same version on the same engine in each process."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from valence.service.classifier import seal
from valence.service.errors import ArtifactError, ConfigurationError, SourceError
from valence.service.files.lock import hold_lock
from valence.service.registry import locations
from valence.service.registry.address import Address, check_label
from valence.service.registry.aliases import LATEST
from valence.service.registry.tag import CHAMPION, Tag
from valence.service.score.options import ScoreOptions
from valence.service.score.recipe import ScorerRecipe
from valence.service.score.texts import TextScorer
from valence.service.settings import Settings

_COPIES = "copies"


@dataclass(frozen=True)
class SourceRecipe:
    """As :class:`ScorerRecipe`, for a version that each machine copies from a source."""

    address: Address
    name: str
    version: str
    engine: str = "auto"
    options: ScoreOptions = field(default_factory=ScoreOptions)

    def make(self) -> TextScorer:
        """Load the model from the copy of this machine, which the first process downloads.

        Raises :class:`SourceError`, and what :meth:`ScorerRecipe.make` raises.
        """
        return ScorerRecipe(self._copy(), self.engine, self.options).make()

    def _copy(self) -> Path:
        from valence.service.sources.download import Download
        from valence.service.sources.kinds import open_source

        folder = locations.find_store() / _COPIES / self.address.digest / self.name / self.version
        with hold_lock(folder, work=f"copying {self.name}:{self.version}", wait=True):
            try:
                seal.verify(folder)
            except ArtifactError:
                limit = Settings.model_fields["model_max_bytes"].default
                source = open_source(self.address)
                Download(source, self.name, self.version, folder, max_bytes=limit).run()
        return folder


def find_recipe(
    model: str | os.PathLike[str],
    *,
    source: str | None = None,
    engine: str = "auto",
    options: ScoreOptions | None = None,
) -> ScorerRecipe | SourceRecipe:
    """What each process of a cluster makes its scorer of: one version, on one engine.

    ``model`` is a ``NAME``, ``NAME:VERSION`` or ``NAME@ALIAS`` of the model store, or the path of a
    folder, and lies on each machine. With a ``source`` such as ``s3://bucket/models`` each machine
    copies the model from there. The engine ``auto`` is the fastest of this machine, for all.

    Raises :class:`ConfigurationError` and :class:`SourceError` for a model that is not there, and
    what :meth:`ScorerRecipe.make` raises.
    """
    options = options or ScoreOptions()
    recipe: ScorerRecipe | SourceRecipe
    if source is None:
        recipe = ScorerRecipe.find(model, engine=engine, options=options)
    else:
        recipe = _find_at_source(str(model), Address.parse(source), engine, options)
    # engines round differently, so the processes take the one that this process takes
    return replace(recipe, engine=recipe.make().engine.name)


def _find_at_source(
    model: str, address: Address, engine: str, options: ScoreOptions
) -> SourceRecipe:
    from valence.service.sources import pointer
    from valence.service.sources.kinds import open_source
    from valence.service.sources.source import name_place

    name, version, alias = Tag.parse(model)
    check_label(name, what="name of a model")
    place = f"{address}/{name}"
    opened = open_source(address)
    with name_place(place):
        listing = opened.look(name)
        wanted = alias or ("" if version else CHAMPION)
        if wanted in listing.aliases:
            content = opened.read_alias(name, wanted, limit=pointer.MAX_BYTES + 1)
            version = pointer.read_version(f"{place}/{wanted}.json", content)
        elif alias and alias != CHAMPION:
            held = ", ".join(listing.aliases) or "none"
            raise SourceError(f"{place}: no alias {alias!r}; it has {held}", outcome="missing")
        elif version in ("", LATEST):
            version = max(listing.versions, default="")
    if version not in listing.versions:
        held = ", ".join(listing.versions) or "none"
        raise ConfigurationError(f"{place}: no version {version or alias!r}; it has {held}")
    return SourceRecipe(address, name, version, engine, options)
