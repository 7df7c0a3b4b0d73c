"""Temperature scaling: one number that brings confidence in line with accuracy.

C. Guo, G. Pleiss, Y. Sun, K.Q. Weinberger, *On Calibration of Modern Neural Networks*, ICML 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

# Temperatures beyond these bounds change nothing that matters. At 1/20 a classifier that is always
# right is practically certain. At 20 a classifier that is worse than chance is practically uniform.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0

# A temperature below 1 makes a classifier surer. How sure it may be is known from its errors alone:
# without an error, the likelihood is best at the lowest temperature, however few the texts are.
MIN_TEXTS, MIN_ERRORS = 50, 5


def fit_temperature(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The temperature in [0.05, 20] that minimizes the negative log likelihood of ``truth``.

    It is at least 1 where :func:`can_sharpen` does not hold.

    ``logits`` is (N, K) and ``truth`` is (N,) label indices; probabilities are
    ``softmax(logits / temperature)``. In a multi-label task ``truth`` is (N, K), of 0 and 1, and
    probabilities are ``sigmoid(logits / temperature)``. Fit the temperature on texts that were not
    trained on. The likelihood on these texts is never worse than at a temperature of 1. Raises
    :class:`ValueError` for empty or non-finite logits.
    """
    if logits.ndim != 2 or len(logits) != len(truth) or logits.size == 0:
        raise ValueError(
            f"logits are of shape {logits.shape}, expected (N, K) for N = {len(truth)} texts, at "
            "least one"
        )
    if not np.isfinite(logits).all():
        raise ValueError("logits contain NaN or infinity; the training has diverged")
    exact = logits.astype(np.float64)
    # The likelihood is convex in 1/T, so it has a single minimum in log T too. In log T the bounds
    # are symmetric around T = 1.
    minimum = minimize_scalar(
        lambda log_t: negative_log_likelihood(exact, truth, temperature=float(np.exp(log_t))),
        bounds=(np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    fitted = float(np.exp(minimum.x))
    if fitted < 1.0 and not can_sharpen(exact, truth):
        return 1.0
    candidates = (1.0, fitted)
    # min returns the first of equals: logits without information keep a temperature of 1
    return min(candidates, key=lambda t: negative_log_likelihood(exact, truth, temperature=t))


def can_sharpen(logits: NDArray[np.floating], truth: NDArray[np.int64]) -> bool:
    """Whether the texts are enough to make a classifier surer than its logits are.

    They are at least :data:`MIN_TEXTS`, and at least :data:`MIN_ERRORS` of them are labelled wrong.
    ``logits`` and ``truth`` are those of :func:`fit_temperature`.
    """
    return len(truth) >= MIN_TEXTS and count_errors(logits, truth) >= MIN_ERRORS


def count_errors(logits: NDArray[np.floating], truth: NDArray[np.int64]) -> int:
    """The number of texts that are labelled wrong.

    In a multi-label task, those with a label whose probability is on the wrong side of one half.
    """
    if truth.ndim == 2:
        return int(((logits > 0) != (truth == 1)).any(axis=1).sum())
    return int((logits.argmax(axis=1) != truth).sum())


def negative_log_likelihood(
    logits: NDArray[np.float64], truth: NDArray[np.int64], *, temperature: float
) -> float:
    """The mean over the texts, in nats. In a multi-label task the labels of a text are summed.

    ``logits`` is (N, K); ``truth`` is (N,) label indices, or (N, K) of 0 and 1.
    """
    return float(list_losses(logits / temperature, truth).mean())


def list_losses(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """The negative log likelihood of each text ``(N,)``; see :func:`negative_log_likelihood`."""
    if truth.ndim == 2:
        losses: NDArray[np.float64] = (np.logaddexp(0.0, logits) - truth * logits).sum(axis=1)
    else:
        losses = logsumexp(logits, axis=1) - logits[np.arange(len(truth)), truth]
    return losses
