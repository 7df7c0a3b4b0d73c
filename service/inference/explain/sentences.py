"""The contributions of tokens of a text that is read sentence by sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.sentence_reading import SentenceReader
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.interface import Engine
from valence.service.inference.explain.attribution import Contributions
from valence.service.inference.explain.interface import Attributor


class SentenceAttributor:
    """The contributions of ``network``; those of a long text are of its sentences, weighted.

    The weights are those that the sentences have in the answer of ``engine``. So the logit is the
    weighted mean of the logits of the sentences, and the baseline that of their baselines.
    """

    def __init__(self, artifact: Artifact, network: Attributor, engine: Engine) -> None:
        self._network = network
        self._engine = engine
        self._reader = SentenceReader(artifact.manifest, artifact.vocabulary)
        self.cost = network.cost

    def attribute(self, ids: WordIds, label: int) -> Contributions:
        """The contribution of each of ``ids`` ``(tokens,)`` to the logit of label ``label``."""
        sentences = self._reader.split(ids)
        if len(sentences) == 1:
            return self._network.attribute(ids, label)
        read = [self._network.attribute(sentence, label) for sentence in sentences]
        weights = self._reader.weigh(self._engine.logits(sentences))
        return Contributions(
            np.concatenate(
                [weight * each.contributions for weight, each in zip(weights, read, strict=True)]
            ).astype(np.float32),
            float(weights @ [each.logit for each in read]),
            float(weights @ [each.baseline_logit for each in read]),
        )

    def activations(self, ids: WordIds) -> NDArray[np.float32]:
        """The hidden states ``(tokens, directions, units)``; each sentence starts anew."""
        return np.concatenate(
            [self._network.activations(sentence) for sentence in self._reader.split(ids)]
        )
