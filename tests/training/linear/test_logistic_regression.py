from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from valence.training.linear.logistic_regression import Problem, fit_weights

TEXTS, FEATURES = 60, 8


def make_features() -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(TEXTS, FEATURES))


def test_weights_are_those_of_scikit_learn() -> None:
    values = make_features()
    truth = (values[:, :3] + np.random.default_rng(1).normal(size=(TEXTS, 3))).argmax(axis=1)
    found = fit_weights(Problem(sparse.csr_matrix(values), np.eye(3)[truth], "single_label", 2.0))
    expected = LogisticRegression(C=2.0, tol=1e-8, max_iter=1_000).fit(values, truth)
    np.testing.assert_allclose(
        found.weights - found.weights.mean(axis=1, keepdims=True), expected.coef_.T, atol=0.01
    )


def test_several_labels_are_fitted_one_by_one() -> None:
    values = make_features()
    noise = np.random.default_rng(2).normal(size=(TEXTS, 2))
    truth = (values[:, :2] + noise > 0).astype(float)
    found = fit_weights(Problem(sparse.csr_matrix(values), truth, "multi_label", 2.0))
    for label in range(2):
        expected = LogisticRegression(C=2.0, tol=1e-8).fit(values, truth[:, label])
        np.testing.assert_allclose(found.weights[:, label], expected.coef_[0], atol=0.01)
        assert found.bias[label] == pytest.approx(expected.intercept_[0], abs=0.01)


def test_a_feature_without_texts_has_the_weight_of_its_parts() -> None:
    values = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]] * 20)
    parts = sparse.csr_matrix(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
    truth = np.eye(2)[[0, 1] * 20]
    found = fit_weights(Problem(sparse.csr_matrix(values), truth, "single_label", 10.0, parts))
    assert found.weights[2, 0] > 0.5
    assert found.weights[2, 1] < -0.5


def test_targets_may_be_shares() -> None:
    values = sparse.csr_matrix(np.ones((10, 1)))
    shares = np.tile([0.7, 0.3], (10, 1))
    found = fit_weights(Problem(values, shares, "single_label", 1e6))
    logits = found.weights[0] + found.bias
    assert 1 / (1 + np.exp(logits[1] - logits[0])) == pytest.approx(0.7, abs=0.01)
