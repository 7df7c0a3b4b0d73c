"""What makes a scorer: small values, which a process can send to another process."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from valence.service.score.options import ScoreOptions
from valence.service.score.texts import TextScorer


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
