"""A fitted classifier: a trained network, n-grams, or the sum of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from valence.service.classifier.architecture import NGRAM_SCALES, NGRAM_WEIGHTS, Architecture
from valence.service.classifier.artifact import Tensors
from valence.service.classifier.classifier import Logits
from valence.service.classifier.model import tensors
from valence.training.data.batches import EncodedTexts
from valence.training.linear.ngram_model import NGramModel
from valence.training.trainer import loop
from valence.training.trainer.checkpoint import Epoch
from valence.training.trainer.model_sum import weigh_models
from valence.training.trainer.network import TrainedNetwork


@dataclass(frozen=True, slots=True)
class OutsideRow:
    """The row of the output layer that tells texts outside the labels.

    ``weights`` are ``(pooled width,)``, or, of n-grams alone, ``(n-grams,)``. It joins the tensors,
    and no logit of a label knows of it.
    """

    weights: NDArray[np.float32]
    bias: np.float32


@dataclass(frozen=True, slots=True)
class FittedClassifier:
    """At least one of ``network`` and ``ngrams``; logits are their sum.

    ``dev_logits`` are set where n-grams have learnt the dev texts: those of models that have not.
    """

    network: TrainedNetwork | None
    ngrams: NGramModel | None
    vocabulary_size: int
    dev_logits: Logits | None = None
    outside: OutsideRow | None = None

    def compute_logits(self, texts: EncodedTexts) -> Logits:
        """Logits ``(texts, labels)`` of a split, in its order."""
        parts = []
        if self.network is not None:
            parts.append(loop.compute_logits(self.network.model, texts))
        if self.ngrams is not None:
            parts.append(self.ngrams.compute_logits(texts))
        logits: Logits = np.sum(parts, axis=0, dtype=np.float32)
        return logits

    @property
    def history(self) -> tuple[Epoch, ...]:
        """The epochs of the network; none without one."""
        return () if self.network is None else self.network.history

    @property
    def architecture(self) -> Architecture:
        """The shape of the tensors."""
        ngrams = 0 if self.ngrams is None else self.ngrams.size
        told = self.outside is not None
        if self.network is not None:
            return self.network.model.architecture.model_copy(
                update={"ngrams": ngrams, "outside": told}
            )
        return Architecture(
            vocabulary_size=self.vocabulary_size,
            layers=0,
            labels=0 if self.ngrams is None else len(self.ngrams.bias),
            ngrams=ngrams,
            outside=told,
        )

    def tensors(self) -> Tensors:
        """The weights, as an artifact names them."""
        found: dict[str, NDArray[np.float32]] = {}
        if self.network is not None:
            found = {
                name: value.cpu().numpy() for name, value in tensors(self.network.model).items()
            }
        if self.ngrams is not None:
            found |= self.ngrams.tensors
            own = found.get("output.bias", np.zeros_like(self.ngrams.bias))
            found["output.bias"] = own + self.ngrams.bias
        if self.outside is not None:
            if self.network is not None:
                rows = found["output.weight"], self.outside.weights[np.newaxis]
                found["output.weight"] = np.concatenate(rows)
            else:
                column = self.outside.weights * found[NGRAM_SCALES]
                found[NGRAM_WEIGHTS] = np.column_stack([found[NGRAM_WEIGHTS], column])
            found["output.bias"] = np.append(found["output.bias"], self.outside.bias)
        return {name: found[name] for name in self.architecture.tensor_shapes()}


def sum_models(
    network: TrainedNetwork,
    ngrams: NGramModel,
    dev: EncodedTexts,
    dev_logits: Logits,
    *,
    share: float | None = None,
) -> tuple[FittedClassifier, float]:
    """The sum of both, by the ``dev`` texts, and the share of ``ngrams`` in it, or ``share``.

    ``dev_logits`` are those of n-grams that have not learnt them. Changes the output layer of the
    network.
    """
    outputs = loop.compute_logits(network.model, dev)
    weights = weigh_models(outputs, dev_logits, dev.truth, share=share)
    with torch.no_grad():
        for parameter in network.model.output.parameters():
            parameter.mul_(weights.network)
    fitted = FittedClassifier(
        network,
        ngrams.scaled(weights.ngrams),
        network.model.architecture.vocabulary_size,
        weights.add(outputs, dev_logits),
    )
    return fitted, weights.share
