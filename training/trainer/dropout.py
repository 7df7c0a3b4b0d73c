"""Dropout of words and units, the same for any number of processes."""

from __future__ import annotations

import torch
from torch import Tensor
from valence.training.config.schema import Regularization
from valence.training.data.batches import Batch
from valence.training.runtime import distributed, seeds
from valence.training.runtime.seeds import Purpose


class Dropout:
    """The draws of one step: words (Bowman et al. 2016) and units (Srivastava et al. 2014).

    A draw depends on the seed, the step and the row of a text in the common batch of all processes.
    Each process draws for the whole batch and uses the rows of its own texts. Drawing is cheap
    beside the recurrence, and any number of processes drop the same words and units.
    """

    def __init__(
        self,
        regularization: Regularization,
        batch: Batch,
        *,
        seed: int,
        step: int,
        device: torch.device,
    ) -> None:
        self._probabilities = regularization
        self._texts, self._longest = batch.whole
        self._generator = torch.Generator(device)
        self._generator.manual_seed(seeds.derive(seed, Purpose.DROPOUT, step))

    def words(self, ids: Tensor) -> Tensor:
        """``ids`` ``(B, T)`` with some words replaced by 0, the unknown word."""
        probability = self._probabilities.word_dropout
        if not probability:
            return ids
        return ids.masked_fill(self._draw(ids, self._longest) < probability, 0)

    def embedded(self, values: Tensor) -> Tensor:
        """See :class:`valence.service.classifier.model.Dropout`."""
        return self._units(values, self._longest, self._probabilities.embedding_dropout)

    def between_layers(self, values: Tensor) -> Tensor:
        """See :class:`valence.service.classifier.model.Dropout`."""
        return self._units(values, self._longest, self._probabilities.recurrent_dropout)

    def pooled(self, values: Tensor) -> Tensor:
        """See :class:`valence.service.classifier.model.Dropout`."""
        return self._units(values, values.shape[1], self._probabilities.output_dropout)

    def _units(self, values: Tensor, width: int, probability: float) -> Tensor:
        if not probability:
            return values
        kept = self._draw(values, width).ge_(probability).div_(1.0 - probability)
        return values * kept.to(values.dtype)

    def _draw(self, values: Tensor, width: int) -> Tensor:
        """Uniform in [0, 1), in the shape of ``values``: this process's rows of the common batch.

        ``width`` is the second size of that batch, which may exceed that of ``values``.
        """
        # `bernoulli_` takes three times as long as a comparison with the probability.
        draws = torch.rand(
            (self._texts, width, *values.shape[2:]),
            generator=self._generator,
            device=self._generator.device,
        )
        return draws[distributed.rank_slice(), : values.shape[1]]
