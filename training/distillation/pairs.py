"""Tune an encoder on pairs of texts: texts of one label become near, texts of two labels far.

Tunstall et al.: *Efficient Few-Shot Learning Without Prompts* (SetFit), 2022. A few texts make many
pairs, so an encoder learns from eight texts of a label without learning them by heart.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from valence.training.distillation.fine_tuning import EncoderClassifier, Pieces, TuningPlan
from valence.training.runtime.run import Run
from valence.training.trainer import optimizer as optimizers

_PAIRS = 16  # of a step: half of them of one label
# Each text is in about forty pairs, as in the paper; the bound keeps many texts within minutes.
_PAIRS_OF_A_TEXT = 40
_MAX_STEPS = 500
_WARMUP = 0.1  # of all steps
_WEIGHT_DECAY = 0.01
_CLIP_NORM = 1.0


def tune_on_pairs(
    network: EncoderClassifier,
    pieces: Pieces,
    targets: NDArray[np.float32],
    plan: TuningPlan,
    run: Run,
) -> None:
    """Tune the encoder of ``network``; the cosine of a pair learns that of its ``targets``.

    Each step draws its random numbers from the seed and its own number.
    """
    texts = len(targets)
    steps = max(1, min(_MAX_STEPS, texts * _PAIRS_OF_A_TEXT // _PAIRS))
    lengths = np.linalg.norm(targets, axis=1, keepdims=True)
    directions = torch.from_numpy(targets / np.maximum(lengths, 1e-9)).to(run.device)
    labels = targets.argmax(axis=1)
    network.to(run.device).train()
    optimizer = torch.optim.AdamW(
        network.encoder.parameters(),
        lr=plan.settings.learning_rate,
        weight_decay=_WEIGHT_DECAY,
        fused=True,
    )
    warmup = max(1, int(_WARMUP * steps))
    started, read = time.perf_counter(), 0
    with run.reporter.bar(f"{plan.title}, pairs", total=steps) as advance:
        for step in range(steps):
            decay = (steps - step) / max(1, steps - warmup)
            rate = plan.settings.learning_rate * min((step + 1) / warmup, decay)
            optimizers.set_learning_rate(optimizer, rate)
            torch.manual_seed(plan.seed * 1_000_003 + step)
            first, second = draw_pairs(labels, np.random.default_rng((plan.seed, step)))
            optimizer.zero_grad()
            loss = _compute_loss(network, pieces, (first, second), directions)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.encoder.parameters(), _CLIP_NORM)
            optimizer.step()
            read += int(pieces.lengths[[*first, *second]].sum())
            advance(tokens_per_second=read / (time.perf_counter() - started))


def draw_pairs(
    labels: NDArray[np.int64], random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of the first and of the second texts of pairs; half of them share a label.

    A label with one text makes pairs of that text with itself.
    """
    first = random.integers(len(labels), size=_PAIRS)
    second = np.empty_like(first)
    for place, row in enumerate(first.tolist()):
        alike = labels == labels[row]
        wanted = alike if place % 2 == 0 or alike.all() else ~alike
        others = np.flatnonzero(wanted)
        others = others[others != row] if len(others) > 1 else others
        second[place] = random.choice(others)
    return first, second


def _compute_loss(
    network: EncoderClassifier,
    pieces: Pieces,
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    directions: Tensor,
) -> Tensor:
    """The mean square of what the cosines of ``pairs`` lack."""
    rows = np.concatenate(pairs)
    vectors = network.embed(*pieces.batch(rows, directions.device)).float()
    first, second = functional.normalize(vectors).chunk(2)
    wanted = (directions[pairs[0]] * directions[pairs[1]]).sum(1)
    return functional.mse_loss((first * second).sum(1), wanted)
