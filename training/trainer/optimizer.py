"""The optimizer, the learning-rate schedule, and the moving average of the weights."""

from __future__ import annotations

import math

import torch
from torch import nn
from valence.service.classifier.model import RecurrentClassifier
from valence.training.config.schema import Optimization, Regularization


def make_optimizer(
    model: nn.Module, optimization: Optimization, regularization: Regularization
) -> torch.optim.Optimizer:
    """The optimizer of ``model``; weight decay acts on the recurrence and the output only.

    A word outside the batch has no gradient. Weight decay would shrink its vector nevertheless, and
    most of all the vectors of rare words.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    decayed = [n for n, p in parameters.items() if p.dim() == 2 and n != "embedding.weight"]
    groups = [
        {
            "params": [parameters[name] for name in decayed],
            "weight_decay": regularization.weight_decay,
        },
        {
            "params": [p for name, p in parameters.items() if name not in decayed],
            "weight_decay": 0.0,
        },
    ]
    if optimization.optimizer == "adagrad":
        return torch.optim.Adagrad(groups, lr=optimization.learning_rate)
    return torch.optim.AdamW(groups, lr=optimization.learning_rate, betas=(0.9, 0.99), fused=True)


def lr_factor(step: int, total: int, optimization: Optimization) -> float:
    """The factor on the learning rate at ``step`` (from 0) of ``total`` steps."""
    warmup = min(1.0, (step + 1) / (optimization.warmup_steps + 1))
    done = min(1.0, step / max(1, total))
    match optimization.schedule:
        case "linear":
            return warmup * (1.0 - done)
        case "cosine":
            return warmup * 0.5 * (1.0 + math.cos(math.pi * done))
        case "constant":
            return warmup


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def update_ema(
    average: RecurrentClassifier, model: RecurrentClassifier, *, step: int, averaging: float
) -> None:
    """Move ``average`` towards ``model``: an exponential moving average over the steps.

    Polyak and Juditsky 1992; Adhikari et al. 2019 for LSTM classifiers. Early steps use a smaller
    decay, so that the random initial weights do not stay in the average.
    """
    weight = 1.0 - min(averaging, (1 + step) / (10 + step))
    with torch.no_grad():
        for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
            if fast.requires_grad:
                slow.lerp_(fast, weight)
