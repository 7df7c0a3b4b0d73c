"""An engine that reads long documents sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Logits
from valence.service.classifier.sentence_reading import SentenceReader
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.interface import Engine


class SentenceEngine:
    """The logits of ``engine``; those of a long document are merged from those of its sentences."""

    def __init__(self, artifact: Artifact, engine: Engine) -> None:
        self._engine = engine
        self._reader = SentenceReader(artifact.manifest, artifact.vocabulary)
        self.name = engine.name

    def logits(self, documents: Sequence[WordIds]) -> Logits:
        """See :meth:`valence.service.inference.engines.interface.Engine.logits`."""
        if max(map(len, documents), default=0) <= self._reader.longer_than:  # most batches
            return self._engine.logits(documents)
        read = [self._reader.split(ids) for ids in documents]
        logits = self._engine.logits([sentence for sentences in read for sentence in sentences])
        merged = np.empty((len(documents), logits.shape[1]), dtype=np.float32)
        start = 0
        for row, sentences in enumerate(read):
            merged[row] = self._reader.merge(logits[start : start + len(sentences)])
            start += len(sentences)
        return merged
