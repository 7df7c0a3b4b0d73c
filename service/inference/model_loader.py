"""The loader of models: from a folder in the store to a scorer that is warm."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from valence.service.classifier import artifact
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier
from valence.service.inference import warm_up
from valence.service.inference.admission import QueueLimits
from valence.service.inference.cache import AnswerCache
from valence.service.inference.engines import factory
from valence.service.inference.engines.interface import Engine
from valence.service.inference.scorer import Observer, Scorer
from valence.service.monitoring.monitor import Monitor
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.sampling.sampler import Sampler
from valence.service.sampling.writer import SampleWriter
from valence.service.settings import Settings


@dataclass(frozen=True, slots=True)
class ModelLoader:
    """Makes scorers that share the thread of the engines, the metrics and the cache."""

    settings: Settings
    worker: Executor
    metrics: Metrics
    log: Log
    cache: AnswerCache | None = None
    observers: Mapping[str, Observer] = field(default_factory=dict)
    """By the name of a model, what is told each of its answers."""
    sample: SampleWriter | None = None
    """Keeps a few texts of clients, if the operator wants a sample."""

    def load(self, folder: Path) -> Scorer:
        """The warm scorer of the model in ``folder``; raises :class:`ArtifactError`."""
        loaded = artifact.load(folder)
        classifier, engine = Classifier(loaded), self.make_engine(loaded)
        warm_up.check_answers(classifier, engine)
        return self.make_scorer(classifier, engine)

    def make_engine(self, loaded: Artifact) -> Engine:
        """The engine of the settings for ``loaded``."""
        return factory.create(loaded, name=self.settings.engine, log=self.log)

    def make_scorer(self, classifier: Classifier, engine: Engine) -> Scorer:
        """The scorer of ``classifier`` on ``engine``, whose answers were checked."""
        scorer = Scorer(
            classifier,
            engine,
            limits=QueueLimits.of(self.settings),
            worker=self.worker,
            metrics=self.metrics,
            cache=self.cache,
        )
        observer = self.observers.get(scorer.name)
        if observer is not None:
            scorer.observe(observer)
        if self.settings.monitor:
            scorer.monitor = Monitor(
                scorer.manifest,
                classifier.artifact.reference,
                self.metrics.monitoring,
                self.metrics.folder,
            )
        if self.sample is not None:
            reference = classifier.artifact.reference
            scorer.sampler = Sampler(scorer.manifest, reference, self.sample)
        scorer.calibrate()
        return scorer
