"""The contributions of tokens to the logits of n-grams, alone or beside a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.ngrams import NGramTable
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.explain.attribution import Contributions
from valence.service.inference.explain.interface import Attributor


class NGramAttributor:
    """Adds the parts of n-grams to the contributions of ``network``; without one, they are all.

    As many unknown words have no n-gram, so each part is whole: the difference to 0.
    """

    def __init__(self, artifact: Artifact, network: Attributor | None = None) -> None:
        self._network = network
        self._bias = artifact.tensors["output.bias"]
        self._table = NGramTable(artifact.tensors, vocabulary_size=len(artifact.vocabulary))
        self.cost = 1 if network is None else network.cost

    def attribute(self, ids: WordIds, label: int) -> Contributions:
        """The contribution of each of ``ids`` ``(tokens,)`` to the logit of label ``label``."""
        parts = self._table.contributions(ids, label)
        bias = float(self._bias[label])
        whole = Contributions(np.zeros(len(ids), dtype=np.float32), bias, bias)
        if self._network is not None:
            whole = self._network.attribute(ids, label)
        return Contributions(
            (whole.contributions + parts).astype(np.float32),
            whole.logit + float(self._table.logits([ids])[0, label]),
            whole.baseline_logit,
        )

    def activations(self, ids: WordIds) -> NDArray[np.float32]:
        """The network's last hidden states ``(tokens, directions, units)``; none without one."""
        if self._network is None:
            return np.empty((len(ids), 0, 0), dtype=np.float32)
        return self._network.activations(ids)
