"""The weights of a network and of n-grams in the sum of their logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.classifier import Logits
from valence.training.metrics import calibration

# The share of the n-grams in the sum is a multiple of a tenth.
_SHARES = np.arange(11) / 10


@dataclass(frozen=True, slots=True)
class ModelSum:
    """The factors of the logits of a network and of n-grams; ``share`` is that of the n-grams.

    ``loss`` is the mean negative log likelihood of the texts that it was chosen on.
    """

    network: float
    ngrams: float
    share: float
    loss: float

    def add(self, network: Logits | None, ngrams: Logits) -> Logits:
        """The sum of the logits."""
        logits: Logits = np.float32(self.ngrams) * ngrams
        if network is not None:
            logits = logits + np.float32(self.network) * network
        return logits


def weigh_models(
    network: Logits | None,
    ngrams: Logits,
    truth: NDArray[np.int64],
    *,
    share: float | None = None,
) -> ModelSum:
    """The sum that makes the labels ``truth`` likeliest, or the sum with that ``share``.

    Each of both is calibrated on its own before. Of shares that the texts cannot tell apart by one
    standard error of the difference of their mean log likelihoods, the one nearest to a half is
    taken: few texts are no evidence for one of the two alone.
    """
    outputs = [each.astype(np.float64) for each in (network, ngrams) if each is not None]
    factors = [1.0 / calibration.fit_temperature(each, truth) for each in outputs]
    calibrated = [factor * each for factor, each in zip(factors, outputs, strict=True)]
    shares = np.array([1.0]) if network is None else _SHARES
    if share is not None and network is not None:
        shares = np.array([share])
    losses = np.stack(
        [
            calibration.list_losses(one * calibrated[-1] + (1.0 - one) * calibrated[0], truth)
            for one in shares.tolist()
        ]
    )  # (shares, N)
    row = _choose_row(losses)
    chosen = float(shares[row])
    return ModelSum(
        0.0 if network is None else (1.0 - chosen) * factors[0],
        chosen * factors[-1],
        chosen,
        float(losses[row].mean()),
    )


def _choose_row(losses: NDArray[np.float64]) -> int:
    """The row nearest to the middle that is not clearly worse than the best."""
    worse = losses - losses[losses.mean(axis=1).argmin()]
    errors = worse.std(axis=1) / np.sqrt(losses.shape[1])
    equal = np.flatnonzero(worse.mean(axis=1) <= errors).tolist()
    return int(min(equal, key=lambda row: abs(row - len(losses) // 2)))
