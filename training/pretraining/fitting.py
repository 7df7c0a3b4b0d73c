"""The training loop of a language model: to the weights that tell held-out text best."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from service.errors import ConfigurationError
from training import batches, descent, ranks, state
from training.configuration import Optimization, Pretraining, Regularization
from training.dropout import Dropout
from training.pretraining.model import LanguageModel
from training.pretraining.sequences import Sequences
from training.progress import Reporter, time_left

_PARTS = ("model", "best", "optimizer")
_TOLD = 10  # times an epoch, at most
_SAVED_SECONDS = 60.0
_WARMUP = 100  # steps, at most a tenth of all
# of held-out text so much is told each time; no gradients are kept
_JUDGED_TOKENS = 40_000
_JUDGED_BATCH_TOKENS = 8_192


class _Standing(NamedTuple):
    """Where training stands."""

    step: int  # batches that are done
    perplexity: float  # the least so far


def fit(
    model: LanguageModel,
    train: Sequences,
    held_out: Sequences,
    *,
    settings: Pretraining,
    device: torch.device,
    checkpoint: Path,
    reporter: Reporter,
) -> float:
    """Train ``model`` in place; what it is left with, and the result, is its least perplexity.

    Each step draws its random numbers from the seed and its own number, and where training stands
    is kept in ``checkpoint``, so that a run that was interrupted ends with the weights it would
    have had. Several processes share each batch (:func:`training.fitting.fit`). Raises
    :class:`ConfigurationError` if training diverges.
    """
    # what follows is the same everywhere, but its start may differ by a bit between two machines
    model.load_state_dict(ranks.from_first(lambda: state.copied(model)))
    model.to(device)
    planned = [
        rows
        for epoch in range(settings.epochs)
        for rows in batches.plan(
            train.lengths, tokens=settings.batch_tokens, seed=settings.seed * 10_007 + epoch
        )
    ]
    optimization = Optimization(
        learning_rate=settings.learning_rate, warmup_steps=min(_WARMUP, len(planned) // 10)
    )
    noise = Regularization(
        embedding_dropout=settings.dropout, recurrent_dropout=settings.dropout, weight_decay=0.0
    )
    optimizer = descent.optimizer(model, optimization, noise)
    best = state.copied(model)
    standing = _Standing(0, math.inf)
    saved = ranks.from_first(lambda: _saved(checkpoint))
    if saved is not None and state.shapes(saved[0]["model"]) == state.shapes(best):
        parts, standing = saved
        model.load_state_dict(parts["model"])
        state.restore(optimizer, parts["optimizer"])
        best = parts["best"]
        reporter.say(
            f"language model: continuing after {standing.step:,} of {len(planned):,} batches"
        )
    told = math.ceil(len(planned) / (_TOLD * settings.epochs))
    first = standing.step
    started = saved_at = time.perf_counter()
    read = 0
    with reporter.bar("language model", total=len(planned), done=first) as advance:
        for step in range(first, len(planned)):
            rows = planned[step]
            rate = optimization.learning_rate * descent.rate(step, len(planned), optimization)
            descent.set_learning_rate(optimizer, rate)
            _step(model, train, rows, noise=noise, seed=settings.seed, step=step)
            nn.utils.clip_grad_norm_(model.parameters(), optimization.clip_norm)
            optimizer.step()
            read += int(train.lengths[rows].sum())
            speed = read / (time.perf_counter() - started)
            advance(tokens_per_second=speed)
            done = step + 1
            if done % told and done < len(planned):
                continue
            perplexity = ranks.from_first(lambda: perplexity_of(model, held_out))
            if not math.isfinite(perplexity):
                raise ConfigurationError(
                    f"the language model diverged after {done:,} batches; lower "
                    f"pretraining.learning_rate ({settings.learning_rate})"
                )
            if perplexity < standing.perplexity:
                best = state.copied(model)
            standing = _Standing(done, min(perplexity, standing.perplexity))
            now = time.perf_counter()
            left = time_left(now - started, done - first, len(planned) - first)
            reporter.say(
                f"language model: {done / len(planned):.0%}, perplexity {perplexity:.1f} on "
                f"held-out text, {speed:,.0f} tokens/s, {left} left"
            )
            if ranks.is_first() and now - saved_at > _SAVED_SECONDS:
                weights = {"model": state.copied(model), "best": best}
                weights["optimizer"] = state.flattened(optimizer)
                state.write(checkpoint, weights, standing._asdict())
                saved_at = now
    model.load_state_dict(best)
    return standing.perplexity


def perplexity_of(model: LanguageModel, held_out: Sequences) -> float:
    """Of words of ``held_out`` that are spread over it, some ten thousand; both directions."""
    device = model.embedding.weight.device
    rows = np.arange(len(held_out))[:: max(1, held_out.tokens // _JUDGED_TOKENS)]
    model.eval()
    nats = 0.0
    with torch.inference_mode():
        for places in batches.plan(held_out.lengths[rows], tokens=_JUDGED_BATCH_TOKENS):
            batch = held_out.batch(rows[places])
            nats += model(batch.ids.to(device), batch.lengths.to(device)).item()
    model.train()
    told = held_out.predicted(rows) * len(model.directions)
    return math.exp(min(nats / max(1, told), 700.0)) if math.isfinite(nats) else math.nan


def _step(
    model: LanguageModel,
    train: Sequences,
    rows: np.ndarray,
    *,
    noise: Regularization,
    seed: int,
    step: int,
) -> None:
    """Give ``model`` the gradients of a batch, of all processes' parts together."""
    device = model.embedding.weight.device
    batch = train.batch(rows, ranks.share())
    model.zero_grad()
    if len(batch.lengths):
        dropout = Dropout(noise, batch, seed=seed, step=step, device=device)
        nats = model(batch.ids.to(device), batch.lengths.to(device), dropout)
        told = train.predicted(rows) * len(model.directions)
        (nats / max(1, told)).backward()
    for parameter in model.parameters():
        if parameter.grad is None:  # a cluster none of whose words was told
            parameter.grad = torch.zeros_like(parameter)
    ranks.sum_gradients(model, batch.ids)


def _saved(checkpoint: Path) -> tuple[dict[str, state.Tensors], _Standing] | None:
    """What an interrupted run left; None where there is nothing, or nothing that can be read."""
    try:
        parts, rest = state.read(checkpoint, _PARTS)
        return parts, _Standing(int(rest["step"]), float(rest["perplexity"]))
    except state.UNREADABLE:
        return None
