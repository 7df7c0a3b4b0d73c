"""Logistic regression on sparse features, with soft targets and with features of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax
from valence.service.classifier.manifest import Task

_Floats = NDArray[np.float64]
_ITERATIONS = 200
# Memory: the optimizer keeps so many pairs of vectors of all parameters.
_HISTORY = 5
_TOLERANCE = 1e-8


class Weights(NamedTuple):
    """``weights`` ``(features, K)``, ``bias`` ``(K,)``, and the weights of the ``parts`` alone."""

    weights: _Floats
    bias: _Floats
    parts: _Floats


@dataclass(frozen=True, slots=True)
class Problem:
    """``features`` ``(N, F)``, their ``targets`` ``(N, K)``, and the strength of the texts.

    ``parts`` ``(words, P)``, if any, are the parts of the first features: a first feature's weight
    is its own plus those of its parts. ``strength`` is scikit-learn's ``C``.
    """

    features: sparse.csr_matrix
    targets: _Floats
    task: Task
    strength: float
    parts: sparse.csr_matrix | None = None


def fit_weights(problem: Problem) -> Weights:
    """The weights that minimize cross-entropy plus the squares of the weights (L-BFGS).

    Cross-entropy is that of the softmax, or of each label's sigmoid for a multi-label task.
    """
    texts, features = problem.features.shape
    matrix: Any = problem.parts
    has_parts = matrix is not None and matrix.nnz > 0
    words, parts = matrix.shape if has_parts else (0, 0)
    labels = problem.targets.shape[1]
    transposed = problem.features.T.tocsr()
    of_parts: Any = matrix.T.tocsr() if has_parts else None
    penalty = 1.0 / (problem.strength * texts)

    def split(values: _Floats) -> tuple[_Floats, _Floats, _Floats]:
        rows = values.reshape(-1, labels)
        return rows[:features], rows[features:-1], rows[-1]

    def join_parts(own: _Floats, shared: _Floats) -> _Floats:
        whole = own.copy()
        if has_parts:
            whole[:words] += matrix @ shared
        return whole

    def compute_loss(values: _Floats) -> tuple[float, _Floats]:
        own, shared, bias = split(values)
        logits = problem.features @ join_parts(own, shared) + bias
        loss, slopes = _compare(logits, problem.targets, problem.task)
        slopes /= texts
        gradient = np.empty_like(values)
        of_own, of_shared, of_bias = split(gradient)
        of_own[:] = transposed @ slopes
        if has_parts:
            of_shared[:] = of_parts @ of_own[:words] + penalty * shared
        of_own += penalty * own
        of_bias[:] = slopes.sum(axis=0)
        squares = float(np.vdot(own, own) + np.vdot(shared, shared))
        return loss / texts + 0.5 * penalty * squares, gradient

    found = minimize(
        compute_loss,
        np.zeros((features + parts + 1) * labels),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _ITERATIONS, "maxcor": _HISTORY, "ftol": _TOLERANCE, "gtol": 1e-6},
    )
    own, shared, bias = split(found.x)
    return Weights(join_parts(own, shared), bias, shared)


def _compare(logits: _Floats, targets: _Floats, task: Task) -> tuple[float, _Floats]:
    """The sum of the cross-entropies of ``logits``, and its gradient ``(N, K)``."""
    if task == "multi_label":
        loss = float(np.logaddexp(0.0, logits).sum() - np.vdot(targets, logits))
        return loss, expit(logits) - targets
    # the shares of a text's raters need not sum to 1
    totals = targets.sum(axis=1, keepdims=True)
    loss = float(np.vdot(totals, logsumexp(logits, axis=1, keepdims=True)))
    return loss - float(np.vdot(targets, logits)), totals * softmax(logits, axis=1) - targets
