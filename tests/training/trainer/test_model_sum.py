from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from valence.training.metrics import calibration
from valence.training.trainer.model_sum import weigh_models

TEXTS = 400


def make_logits(truth: NDArray[np.int64], *, signal: float, seed: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(size=(len(truth), 3))
    return (signal * np.eye(3)[truth] + noise).astype(np.float32)


def make_truth(texts: int = TEXTS) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, 3, texts)


def test_a_useless_model_has_no_part_in_the_sum() -> None:
    truth = make_truth()
    good, useless = (make_logits(truth, signal=signal, seed=1) for signal in (3.0, 0.0))
    useless = make_logits(truth, signal=0.0, seed=2)
    assert weigh_models(good, useless, truth).share <= 0.2
    assert weigh_models(useless, good, truth).share >= 0.8


def test_two_models_with_errors_of_their_own_are_better_together() -> None:
    truth = make_truth()
    network, ngrams = (make_logits(truth, signal=1.5, seed=seed) for seed in (1, 2))
    found = weigh_models(network, ngrams, truth)
    assert 0.3 <= found.share <= 0.7
    alone = weigh_models(None, ngrams, truth)
    assert found.loss < alone.loss
    total = found.add(network, ngrams)
    assert calibration.list_losses(total.astype(np.float64), truth).mean() == pytest.approx(
        found.loss, abs=1e-5
    )


def test_few_texts_are_no_evidence_for_one_model() -> None:
    truth = make_truth(12)
    network, ngrams = (make_logits(truth, signal=1.5, seed=seed) for seed in (1, 2))
    assert 0.2 <= weigh_models(network, ngrams, truth).share <= 0.8


def test_a_given_share_is_kept() -> None:
    truth = make_truth()
    network, ngrams = (make_logits(truth, signal=1.5, seed=seed) for seed in (1, 2))
    found = weigh_models(network, ngrams, truth, share=0.9)
    assert found.share == 0.9
    assert found.ngrams > found.network > 0


def test_ngrams_alone_are_calibrated() -> None:
    truth = make_truth()
    ngrams = 10 * make_logits(truth, signal=1.5, seed=1)
    found = weigh_models(None, ngrams, truth)
    assert (found.share, found.network) == (1.0, 0.0)
    assert found.ngrams < 0.5
