"""Invariance tests: perturbations that keep the meaning of held-out texts must keep the labels."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from valence.training.behaviour.model_under_test import ModelUnderTest
from valence.training.behaviour.perturbations import PERTURBATIONS, Perturbation
from valence.training.metrics.predictions import Bools

# texts of one perturbation: with 1,000 texts, a share of 10 % is known to 2 points
MAX_TEXTS = 1_000


class PerturbedText(NamedTuple):
    """The position of a held-out text, and its perturbed form."""

    position: int
    text: str


def perturb_texts(texts: Sequence[str], *, seed: int = 0) -> dict[str, list[PerturbedText]]:
    """For each perturbation, the texts that it changes: at most :data:`MAX_TEXTS`, evenly spread.

    A perturbation that changes no text is left out.
    """
    perturbed = {
        name: apply_perturbation(texts, perturb, seed=seed)
        for name, perturb in PERTURBATIONS.items()
    }
    return {name: _thin_out(pairs) for name, pairs in perturbed.items() if pairs}


def apply_perturbation(
    texts: Sequence[str], perturb: Perturbation, *, seed: int
) -> list[PerturbedText]:
    """The perturbed form of each of ``texts`` that ``perturb`` changes."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    pairs = (PerturbedText(index, perturb(text, chance)) for index, text in enumerate(texts))
    return [pair for pair in pairs if pair.text != texts[pair.position]]


def find_label_changes(
    model: ModelUnderTest, predicted: Bools, pairs: Sequence[PerturbedText]
) -> Bools:
    """For each of ``pairs``, whether the perturbed text gets other labels than the original: (P,).

    ``predicted`` (N, K) are the predicted labels of all held-out texts, in the order of the
    model's labels.
    """
    before = predicted[np.array([pair.position for pair in pairs])]
    changed: Bools = (model.predict_labels([pair.text for pair in pairs]) != before).any(axis=1)
    return changed


def _thin_out(pairs: list[PerturbedText]) -> list[PerturbedText]:
    """At most :data:`MAX_TEXTS` of ``pairs`` from all corpora, as texts are sorted by corpus."""
    if len(pairs) <= MAX_TEXTS:
        return pairs
    indices = np.linspace(0, len(pairs) - 1, MAX_TEXTS).round().astype(int).tolist()
    return [pairs[index] for index in indices]
