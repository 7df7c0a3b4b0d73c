"""The training loop: from an initialized network to the weights of an epoch selected on dev."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from valence.service.classifier.classifier import Logits, to_probabilities
from valence.service.classifier.manifest import Task
from valence.service.classifier.model import RecurrentClassifier
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Optimization, Regularization
from valence.training.data.batches import Batch, EncodedTexts, TrainingTexts
from valence.training.metrics import thresholds
from valence.training.metrics.scores import Evaluation, evaluate
from valence.training.runtime import distributed
from valence.training.runtime.progress import time_left
from valence.training.runtime.run import Run
from valence.training.runtime.tensor_file import (
    Tensors,
    copy_weights,
    flatten_optimizer,
    get_shapes,
    restore_optimizer,
)
from valence.training.trainer import checkpoint as checkpoints
from valence.training.trainer import optimizer as optimizers
from valence.training.trainer.checkpoint import Checkpoint, Epoch
from valence.training.trainer.dropout import Dropout
from valence.training.trainer.tuned_embedding import TunedEmbedding

# Evaluation keeps no gradients, so its batches may be larger than those of training.
_EVALUATION_TOKENS = 16_384


class Diverged(ConfigurationError):
    """The loss or the logits became NaN or infinite."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How a network is trained, and the ``checkpoint`` file that an interrupted run continues from.

    The first ``frozen_columns`` of the embedding keep their values. If ``tuned_words`` is above 0,
    so do the rows of all but so many words.
    """

    optimization: Optimization
    regularization: Regularization
    checkpoint: Path
    frozen_columns: int = 0
    tuned_words: int = 0


@dataclass(slots=True)
class _State:
    """What training changes: the weights, their moving average, the optimizer, the history."""

    model: RecurrentClassifier
    average: RecurrentClassifier
    optimizer: torch.optim.Optimizer
    history: tuple[Epoch, ...]
    selected: Tensors  # the averaged weights of the selected epoch


def train(
    model: RecurrentClassifier,
    texts: TrainingTexts,
    dev: EncodedTexts,
    plan: TrainingPlan,
    *,
    run: Run,
    observe: Callable[[Epoch], None] = lambda _: None,
) -> tuple[Epoch, ...]:
    """Train ``model`` in place and leave it with the weights of the epoch that
    :func:`select_epoch_one_standard_error` selects.

    The dev texts score the moving average of the weights, and the model ends with that average.

    Each step draws its random numbers from the seed and its own number, and each epoch ends by
    replacing the checkpoint. An interrupted run therefore continues from its last complete epoch
    and reaches exactly the weights of a run without interruption. Calls ``observe`` after each
    epoch. Returns the history of all epochs. Raises :class:`ConfigurationError` for mixed precision
    on a processor without bf16.

    Several processes (:mod:`valence.training.runtime.distributed`) take each step together: each
    process computes the gradients of its part of a batch, and all processes apply the sum. The
    weights equal those of a single process, except for rounding. The first process reads and writes
    the checkpoint and scores the dev texts.
    """
    optimization = plan.optimization
    if optimization.mixed_precision:
        require_bf16(run.device)
    # The steps are the same on every machine, but the initial weights may differ by a bit.
    model.load_state_dict(distributed.broadcast_from_first(lambda: copy_weights(model)))
    model.to(run.device)
    if 0 < plan.tuned_words < model.embedding.num_embeddings:
        model.embedding = TunedEmbedding(model.embedding, plan.tuned_words)
    freeze(model.embedding, plan.frozen_columns)
    state = _start(model, texts, plan)
    rounds = texts.count_epochs(optimization)
    if state.history and len(state.history) < rounds:
        run.reporter.say(f"continuing after epoch {len(state.history)} of an interrupted run")
    while len(state.history) < rounds and not _is_stalled(state.history, optimization.patience):
        epoch = _train_epoch(state, texts, dev, plan, run)
        state.history = (*state.history, epoch)
        observe(epoch)
        if select_epoch_one_standard_error(state.history, texts=len(dev)) is epoch:
            state.selected = copy_weights(state.average)
        if distributed.is_first():
            Checkpoint(
                history=state.history,
                model=copy_weights(model),
                average=copy_weights(state.average),
                chosen=state.selected,
                optimizer=flatten_optimizer(state.optimizer),
                position=texts.position,
            ).save(plan.checkpoint)
    model.load_state_dict(state.selected)
    if isinstance(model.embedding, TunedEmbedding):
        model.embedding = model.embedding.join()
    return state.history


def _start(model: RecurrentClassifier, texts: TrainingTexts, plan: TrainingPlan) -> _State:
    """The state of a new run, or of the interrupted run whose checkpoint fits ``model``."""
    optimizer = optimizers.make_optimizer(model, plan.optimization, plan.regularization)
    average = copy.deepcopy(model)
    state = _State(model, average, optimizer, (), copy_weights(average))
    saved = distributed.broadcast_from_first(lambda: checkpoints.load_checkpoint(plan.checkpoint))
    if saved is not None and get_shapes(saved.model) == get_shapes(model.state_dict()):
        state.history, state.selected = saved.history, saved.chosen
        model.load_state_dict(saved.model)
        average.load_state_dict(saved.average)
        restore_optimizer(optimizer, saved.optimizer)
        texts.seek(saved.position)
    return state


def freeze(embedding: nn.Embedding, columns: int) -> None:
    """Keep the first ``columns`` of ``embedding`` at their values during training."""
    if columns == embedding.embedding_dim:
        # No gradient is computed for a weight that does not change.
        embedding.weight.requires_grad = False
    elif columns:
        embedding.weight.register_hook(  # type: ignore[no-untyped-call]
            lambda gradient: _zero_columns(gradient, columns)
        )


def require_bf16(device: torch.device) -> None:
    """Raise :class:`ConfigurationError` if ``device`` cannot compute a recurrence in bf16."""
    supported = torch.ops.mkldnn._is_mkldnn_bf16_supported
    if device.type == "cpu" and not supported():
        raise ConfigurationError(
            "optimization.mixed_precision = true: this processor has no bf16 arithmetic (AVX-512 "
            "or AMX); set it to false, or train on another"
        )


def select_epoch_one_standard_error(history: Sequence[Epoch], *, texts: int) -> Epoch:
    """The last of the epochs whose dev macro-F1 is within one standard error of the highest.

    The rule is that of Breiman, Friedman, Olshen, Stone: *Classification and Regression Trees*,
    1984. The number of dev ``texts`` cannot tell such epochs apart, so the highest value is luck.
    The last epoch has trained longest, at the lowest learning rate. The standard error is that of
    the difference of two shares of texts, since macro-F1 is roughly such a share.
    """
    highest = best_epoch(history).dev_macro_f1
    error = math.sqrt(2.0 * highest * (1.0 - highest) / texts)
    return next(epoch for epoch in reversed(history) if epoch.dev_macro_f1 >= highest - error)


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """The first epoch with the highest dev macro-F1; patience counts from it."""
    return max(history, key=lambda epoch: (epoch.dev_macro_f1, -epoch.epoch))


def compute_logits(model: RecurrentClassifier, texts: EncodedTexts) -> Logits:
    """Logits ``(texts, outputs)`` of a split, in its order, without dropout."""
    return _compute(model, model, texts, width=model.architecture.outputs)


def compute_pooled(model: RecurrentClassifier, texts: EncodedTexts) -> Logits:
    """The pooled vectors ``(texts, pooled width)`` of a split, in its order, without dropout."""
    return _compute(model, model.pool, texts, width=model.architecture.pooled_width)


def _compute(
    model: RecurrentClassifier,
    function: Callable[[Tensor, Tensor], Tensor],
    texts: EncodedTexts,
    *,
    width: int,
) -> Logits:
    device = next(model.parameters()).device
    result = np.empty((len(texts), width), dtype=np.float32)
    model.eval()
    with torch.inference_mode():
        for rows in texts.plan(tokens=_EVALUATION_TOKENS):
            batch = texts.batch(rows)
            output = function(batch.ids.to(device), batch.lengths.to(device))
            result[rows] = output.float().cpu().numpy()
    return result


def _train_epoch(
    state: _State, texts: TrainingTexts, dev: EncodedTexts, plan: TrainingPlan, run: Run
) -> Epoch:
    optimization, regularization = plan.optimization, plan.regularization
    model, history = state.model, state.history
    number, rounds = len(history) + 1, texts.count_epochs(optimization)
    model.train()
    started = time.perf_counter()
    device = next(model.parameters()).device
    loss_sum = torch.zeros((), device=device)  # over the texts
    text_count = token_count = 0
    epoch_steps = texts.get_epoch(number, optimization)
    # The bar covers the whole training, and so does its remaining time.
    note = f"dev macro-F1 {history[-1].dev_macro_f1:.4f}" if history else ""
    with run.reporter.bar(
        f"epoch {number}/{rounds}", total=epoch_steps.total, done=epoch_steps.first, note=note
    ) as advance:
        for step, batch in enumerate(epoch_steps.batches, start=epoch_steps.first):
            factor = optimizers.lr_factor(step, epoch_steps.total, optimization)
            optimizers.set_learning_rate(state.optimizer, optimization.learning_rate * factor)
            state.optimizer.zero_grad()
            if len(batch.lengths):
                dropout = Dropout(
                    regularization, batch, seed=optimization.seed, step=step, device=device
                )
                loss = _compute_loss(
                    model,
                    batch,
                    dropout,
                    task=texts.task,
                    smoothing=regularization.label_smoothing,
                    mixed_precision=optimization.mixed_precision,
                )
                (loss / batch.whole[0]).backward()  # type: ignore[no-untyped-call]
                loss_sum += loss.detach()
            distributed.sum_gradients(model, batch.ids)
            nn.utils.clip_grad_norm_(model.parameters(), optimization.clip_norm)
            state.optimizer.step()
            optimizers.update_ema(
                state.average, model, step=step, averaging=regularization.averaging
            )
            text_count += len(batch.lengths)
            token_count += int(batch.lengths.sum())
            speed = token_count * distributed.world_size() / (time.perf_counter() - started)
            advance(tokens_per_second=speed)
    seconds = time.perf_counter() - started
    counts = torch.tensor([text_count, token_count])
    text_count, token_count = distributed.all_sum(counts).tolist()
    train_loss = distributed.all_sum(loss_sum).item() / text_count
    evaluation = None
    if math.isfinite(train_loss):
        evaluation = distributed.broadcast_from_first(lambda: _evaluate_dev(state.average, dev))
    if evaluation is None:
        raise Diverged(
            f"training diverged in epoch {number} (its loss is {train_loss}); lower "
            f"optimization.learning_rate ({optimization.learning_rate}) or optimization.clip_norm "
            f"({optimization.clip_norm})"
        )
    epoch = Epoch(
        epoch=number,
        train_loss=train_loss,
        dev_loss=evaluation.log_loss,
        dev_macro_f1=evaluation.macro_f1,
        seconds=seconds,
        tokens_per_second=token_count / seconds,
    )
    steps_left = epoch_steps.total - epoch_steps.first - epoch_steps.steps
    remaining = time_left(
        time.perf_counter() - started, epoch_steps.steps, epoch_steps.steps + steps_left
    )
    # "at most": patience may end the training earlier
    left = f", at most {remaining} left" if steps_left else ""
    run.reporter.say(
        f"epoch {number}/{rounds}: train loss {epoch.train_loss:.4f}, "
        f"dev loss {epoch.dev_loss:.4f}, dev macro-F1 {epoch.dev_macro_f1:.4f}, "
        f"{seconds:.1f} s, {epoch.tokens_per_second:,.0f} tokens/s{left}"
    )
    return epoch


def _evaluate_dev(model: RecurrentClassifier, texts: EncodedTexts) -> Evaluation | None:
    """The scores of ``model`` on ``texts``; None if a logit is NaN or infinite."""
    outputs = compute_logits(model, texts)
    if not np.isfinite(outputs).all():
        return None
    answers = to_probabilities(outputs, temperature=1.0, task=texts.task)
    return evaluate(
        answers,
        texts.truth,
        labels=texts.labels,
        # The thresholds that would be served: 0.5 is too high for rare labels.
        thresholds=thresholds.choose_thresholds(answers, texts.truth)
        if texts.task == "multi_label"
        else None,
    )


def _compute_loss(
    model: RecurrentClassifier,
    batch: Batch,
    dropout: Dropout,
    *,
    task: Task,
    smoothing: float,
    mixed_precision: bool,
) -> Tensor:
    """The sum over the texts of the cross-entropy to the (soft) targets.

    For a multi-label task, the sum of the labels' binary cross-entropies; smoothing then moves each
    target towards one half.
    """
    device = next(model.parameters()).device
    ids = dropout.words(batch.ids.to(device, non_blocking=True))
    with torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision):
        outputs = model(ids, batch.lengths.to(device, non_blocking=True), dropout)
    targets = batch.targets.to(device, non_blocking=True)  # (B, K)
    if task == "multi_label":
        smoothed = targets * (1.0 - smoothing) + 0.5 * smoothing
        return functional.binary_cross_entropy_with_logits(
            outputs.float(), smoothed, reduction="sum"
        )
    return functional.cross_entropy(
        outputs.float(), targets, label_smoothing=smoothing, reduction="sum"
    )


def _is_stalled(history: tuple[Epoch, ...], patience: int) -> bool:
    return bool(history) and len(history) - best_epoch(history).epoch >= patience


def _zero_columns(gradient: Tensor, columns: int) -> Tensor:
    masked = gradient.clone()
    masked[:, :columns] = 0.0
    return masked
