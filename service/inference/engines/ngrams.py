"""The engine of n-grams: in NumPy, without torch and without the kernel."""

from __future__ import annotations

from collections.abc import Sequence

from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Logits
from valence.service.classifier.ngrams import NGramTable
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.interface import Engine


class NGramEngine:
    """The logits of an artifact's n-grams, added to those of the engine of its ``network``."""

    def __init__(self, artifact: Artifact, network: Engine | None = None) -> None:
        self._network = network
        self._bias = artifact.tensors["output.bias"]
        self._table = NGramTable(artifact.tensors, vocabulary_size=len(artifact.vocabulary))
        self.name = "ngrams" if network is None else f"{network.name}+ngrams"

    def logits(self, documents: Sequence[WordIds]) -> Logits:
        """See :meth:`valence.service.inference.engines.interface.Engine.logits`."""
        added = self._table.logits(documents)
        if self._network is None:
            alone: Logits = added + self._bias
            return alone
        # the bias is one of the network's parameters, and so is the row of texts outside the labels
        logits = self._network.logits(documents)
        logits[:, : self._table.labels] += added
        return logits
