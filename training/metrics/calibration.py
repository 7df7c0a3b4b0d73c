"""Temperature scaling: one number that makes a classifier as sure as it is right.

C. Guo, G. Pleiss, Y. Sun, K.Q. Weinberger, *On Calibration of Modern Neural Networks*, ICML 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

# Beyond these the answer says no more: at 1/20 a classifier that is always right is as good as
# certain, at 20 one that is worse than chance is as good as uniform.
LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The temperature in [0.05, 20] that minimizes the negative log likelihood of ``truth``.

    ``logits`` is (N, K), ``truth`` (N,) label indices; probabilities are
    ``softmax(logits / temperature)``. Where labels are decided alone ``truth`` is (N, K), of 0 and
    1, and probabilities are ``sigmoid(logits / temperature)``. Fit it on texts that were not
    trained on. Never worse on them than a temperature of 1. Raises :class:`ValueError` for empty
    or non-finite logits.
    """
    if logits.ndim != 2 or len(logits) != len(truth) or logits.size == 0:
        raise ValueError(
            f"logits are of shape {logits.shape}, expected (N, K) for N = {len(truth)} texts, at "
            "least one"
        )
    if not np.isfinite(logits).all():
        raise ValueError("logits hold a NaN or an infinity; the training has diverged")
    exact = logits.astype(np.float64)
    # The likelihood is convex in 1/T, hence has one minimum in log T too; in log T the bounds lie
    # alike on either side of 1.
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(exact, truth, temperature=float(np.exp(log_t))),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    candidates = (1.0, float(np.exp(found.x)))
    # the first of equals: logits that tell nothing keep a temperature of 1
    return min(candidates, key=lambda t: negative_log_likelihood(exact, truth, temperature=t))


def negative_log_likelihood(
    logits: NDArray[np.float64], truth: NDArray[np.int64], *, temperature: float
) -> float:
    """Mean over the texts, in nats; of labels decided alone their sum."""
    scaled = logits / temperature  # (N, K)
    if truth.ndim == 2:
        return float((np.logaddexp(0.0, scaled) - truth * scaled).sum(axis=1).mean())
    of_truth = scaled[np.arange(len(truth)), truth]  # (N,)
    return float((logsumexp(scaled, axis=1) - of_truth).mean())
