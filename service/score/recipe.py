"""What makes a scorer: small values, which a process can send to another process."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from valence.service.score.options import ScoreOptions
from valence.service.score.texts import TextScorer

if TYPE_CHECKING:
    from valence.service.classifier.manifest import Manifest


class Recipe(Protocol):
    """What makes a scorer: a small value that may be a key, and may be sent to another process."""

    def make(self) -> TextScorer:
        """Load the model."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class ScorerRecipe:
    """The folder of a model, the engine that computes it, and how texts are scored."""

    folder: Path
    engine: str = "auto"
    options: ScoreOptions = field(default_factory=ScoreOptions)

    @classmethod
    def find(
        cls,
        model: str | os.PathLike[str],
        *,
        engine: str = "auto",
        options: ScoreOptions | None = None,
    ) -> ScorerRecipe:
        """The recipe of ``model``: a NAME or NAME:VERSION in the model store, a folder, or an
        address, whose model is copied to this machine.

        Raises :class:`ConfigurationError` for a model that is not there, and :class:`SourceError`
        for an address whose model cannot be copied.
        """
        from valence.service.registry import locations

        if isinstance(model, str) and locations.is_remote(model):
            from valence.service.sources.local_copy import fetch_model

            folder = fetch_model(model)
        else:
            folder = locations.find_model(model)
        return cls(folder.resolve(), engine, options or ScoreOptions())

    def make(self) -> TextScorer:
        """Load the model, which takes some tenths of a second; once in each process is enough.

        Raises :class:`ArtifactError` for a damaged model, and :class:`ConfigurationError` for an
        engine that cannot run here.
        """
        from valence.service.classifier import artifact
        from valence.service.classifier.classifier import Classifier
        from valence.service.inference.engines import factory
        from valence.service.observability.log import Log

        loaded = artifact.load(self.folder)
        engine = factory.create(loaded, name=self.engine, log=Log(sys.stderr, access=False))
        return TextScorer(Classifier(loaded), engine, self.options)


@dataclass(frozen=True)
class AddressRecipe:
    """As :class:`ScorerRecipe`, for a model that each machine copies from an ``address``."""

    address: str
    engine: str = "auto"
    options: ScoreOptions = field(default_factory=ScoreOptions)

    def make(self) -> TextScorer:
        """Load the model from the copy of this machine; raises as :class:`ScorerRecipe` does."""
        recipe = ScorerRecipe.find(self.address, engine=self.engine, options=self.options)
        return recipe.make()


def find_cluster_recipe(
    model: str | os.PathLike[str],
    *,
    engine: str = "auto",
    options: ScoreOptions | None = None,
) -> ScorerRecipe | AddressRecipe:
    """What each process of a cluster makes its scorer of: one version, on one engine.

    ``model`` is as in :meth:`ScorerRecipe.find`. A folder, and a model of the store, must lie at
    the same path on each machine. The engine ``auto`` is the fastest of this machine, for all.
    Raises what :meth:`ScorerRecipe.find` and :meth:`ScorerRecipe.make` raise.
    """
    from valence.service.registry import locations

    recipe = ScorerRecipe.find(model, engine=engine, options=options)
    scorer = recipe.make()
    # engines round differently, so the processes take the one that this process takes
    recipe = replace(recipe, engine=scorer.engine.name)
    if isinstance(model, str) and locations.is_remote(model):
        address = _pin(model, scorer.classifier.manifest)
        return AddressRecipe(address, recipe.engine, recipe.options)
    return recipe


def _pin(address: str, manifest: Manifest) -> str:
    """``address`` with the version that it means now."""
    if address.startswith(("http://", "https://")):
        return address
    return f"{address.partition('#')[0]}#{manifest.name}:{manifest.version}"
