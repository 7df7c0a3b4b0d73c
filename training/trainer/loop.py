"""The training loop: from an initialized network to the weights of an epoch chosen on dev."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
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
from valence.training.data.batches import Batch, EncodedTexts, Texts
from valence.training.metrics import thresholds
from valence.training.metrics.scores import Evaluation, evaluate
from valence.training.runtime import distributed
from valence.training.runtime.progress import Reporter, time_left
from valence.training.runtime.tensor_file import copied, flattened, restore, shapes
from valence.training.trainer import checkpoint as checkpoints
from valence.training.trainer import optimizer as descent
from valence.training.trainer.checkpoint import Checkpoint, Epoch
from valence.training.trainer.dropout import Dropout

# no gradients are kept when evaluating, so batches may be larger
_EVALUATION_TOKENS = 16_384


class Diverged(ConfigurationError):
    """The loss or the answers are no numbers any more."""


def fit(
    model: RecurrentClassifier,
    train: Texts,
    dev: EncodedTexts,
    *,
    optimization: Optimization,
    regularization: Regularization,
    frozen_columns: int = 0,
    device: torch.device,
    checkpoint: Path,
    reporter: Reporter,
    observe: Callable[[Epoch], None] = lambda _: None,
) -> tuple[Epoch, ...]:
    """Train ``model`` in place and leave the weights of :func:`chosen_epoch` in it.

    What is judged, and left, is the moving average of the weights.

    Each step draws its random numbers from the seed and its own number, and each epoch ends by
    replacing the ``checkpoint``. A run that was interrupted therefore continues from the last whole
    epoch to the very weights it would have reached. The first ``frozen_columns`` of the embedding
    stay as they are. ``observe`` is told of each epoch. Returns the history of all of them. Raises
    :class:`ConfigurationError` for mixed precision on a processor that has none.

    Several processes (:mod:`valence.training.runtime.distributed`) take each step together: each computes the gradients
    of its part of a batch, and all go on with their sum. So they reach the weights that one would,
    but for rounding. The first reads and writes the checkpoint and scores the dev texts.
    """
    if optimization.mixed_precision:
        require_bf16(device)
    # what follows is the same everywhere, but its start may differ by a bit between two machines
    model.load_state_dict(distributed.from_first(lambda: copied(model)))
    model.to(device)
    freeze(model.embedding, frozen_columns)
    optimizer = descent.optimizer(model, optimization, regularization)
    average = copy.deepcopy(model)
    history: tuple[Epoch, ...] = ()
    chosen = copied(average)
    saved = distributed.from_first(lambda: checkpoints.load(checkpoint))
    if saved is not None and shapes(saved.model) == shapes(model.state_dict()):
        history, chosen = saved.history, saved.chosen
        model.load_state_dict(saved.model)
        average.load_state_dict(saved.average)
        restore(optimizer, saved.optimizer)
        train.go_to(saved.position)
    rounds = train.rounds(optimization)
    if history and len(history) < rounds:
        reporter.say(f"continuing after epoch {len(history)} of an interrupted run")
    while len(history) < rounds and not _stalled(history, optimization.patience):
        epoch = _epoch(
            model,
            average,
            train,
            dev,
            history=history,
            rounds=rounds,
            optimizer=optimizer,
            optimization=optimization,
            regularization=regularization,
            reporter=reporter,
        )
        history = (*history, epoch)
        observe(epoch)
        if chosen_epoch(history, texts=len(dev)) is epoch:
            chosen = copied(average)
        if distributed.is_first():
            Checkpoint(
                history=history,
                model=copied(model),
                average=copied(average),
                chosen=chosen,
                optimizer=flattened(optimizer),
                position=train.position,
            ).save(checkpoint)
    model.load_state_dict(chosen)
    return history


def freeze(embedding: nn.Embedding, columns: int) -> None:
    """Keep the first ``columns`` of ``embedding`` as they are, whatever it learns."""
    if columns == embedding.embedding_dim:
        # nothing is computed for what stays as it is
        embedding.weight.requires_grad = False
    elif columns:
        embedding.weight.register_hook(  # type: ignore[no-untyped-call]
            lambda gradient: _without(gradient, columns)
        )


def require_bf16(device: torch.device) -> None:
    """Raise :class:`ConfigurationError` if ``device`` computes no recurrence in bf16."""
    supported = torch.ops.mkldnn._is_mkldnn_bf16_supported
    if device.type == "cpu" and not supported():
        raise ConfigurationError(
            "optimization.mixed_precision = true: this processor has no bf16 arithmetic (AVX-512 "
            "or AMX); set it to false, or train on another"
        )


def chosen_epoch(history: Sequence[Epoch], *, texts: int) -> Epoch:
    """The last of the epochs whose dev macro-F1 is within one standard error of the highest.

    Breiman, Friedman, Olshen, Stone: *Classification and Regression Trees*, 1984: of what so many
    dev ``texts`` cannot tell apart, the highest is luck. The last has seen most, at the lowest
    learning rate. The error is that of the difference of two shares of texts, as macro-F1 roughly
    is one.
    """
    highest = best_epoch(history).dev_macro_f1
    error = math.sqrt(2.0 * highest * (1.0 - highest) / texts)
    return next(epoch for epoch in reversed(history) if epoch.dev_macro_f1 >= highest - error)


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """The first of the epochs with the highest dev macro-F1, which patience counts from."""
    return max(history, key=lambda epoch: (epoch.dev_macro_f1, -epoch.epoch))


def logits(model: RecurrentClassifier, texts: EncodedTexts) -> Logits:
    """Logits ``(texts, labels)`` of a whole split, in its order, without dropout."""
    device = next(model.parameters()).device
    result = np.empty((len(texts), model.architecture.labels), dtype=np.float32)
    model.eval()
    with torch.inference_mode():
        for rows in texts.plan(tokens=_EVALUATION_TOKENS):
            batch = texts.batch(rows)
            output = model(batch.ids.to(device), batch.lengths.to(device))
            result[rows] = output.float().cpu().numpy()
    return result


def _epoch(
    model: RecurrentClassifier,
    average: RecurrentClassifier,
    train: Texts,
    dev: EncodedTexts,
    *,
    history: Sequence[Epoch],
    rounds: int,
    optimizer: torch.optim.Optimizer,
    optimization: Optimization,
    regularization: Regularization,
    reporter: Reporter,
) -> Epoch:
    number = len(history) + 1
    model.train()
    started = time.perf_counter()
    device = next(model.parameters()).device
    # summed over texts, and how many texts and tokens there were
    loss_sum = torch.zeros((), device=device)
    texts = tokens = 0
    part = train.round(number, optimization)
    # the bar is of the whole training, so that the time left is
    note = f"dev macro-F1 {history[-1].dev_macro_f1:.4f}" if history else ""
    with reporter.bar(
        f"epoch {number}/{rounds}", total=part.total, done=part.first, note=note
    ) as advance:
        for step, batch in enumerate(part.batches, start=part.first):
            rate = optimization.learning_rate * descent.rate(step, part.total, optimization)
            descent.set_learning_rate(optimizer, rate)
            optimizer.zero_grad()
            if len(batch.lengths):
                dropout = Dropout(
                    regularization, batch, seed=optimization.seed, step=step, device=device
                )
                loss = _loss(
                    model,
                    batch,
                    dropout,
                    task=train.task,
                    smoothing=regularization.label_smoothing,
                    mixed_precision=optimization.mixed_precision,
                )
                (loss / batch.whole[0]).backward()  # type: ignore[no-untyped-call]
                loss_sum += loss.detach()
            distributed.sum_gradients(model, batch.ids)
            nn.utils.clip_grad_norm_(model.parameters(), optimization.clip_norm)
            optimizer.step()
            descent.approach(average, model, step=step, averaging=regularization.averaging)
            texts += len(batch.lengths)
            tokens += int(batch.lengths.sum())
            speed = tokens * distributed.count() / (time.perf_counter() - started)
            advance(tokens_per_second=speed)
    seconds = time.perf_counter() - started
    texts, tokens = distributed.sum_of(torch.tensor([texts, tokens])).tolist()
    train_loss = distributed.sum_of(loss_sum).item() / texts
    judged = (
        distributed.from_first(lambda: _judged(average, dev)) if math.isfinite(train_loss) else None
    )
    if judged is None:
        raise Diverged(
            f"training diverged in epoch {number} (its loss is {train_loss}); lower "
            f"optimization.learning_rate ({optimization.learning_rate}) or optimization.clip_norm "
            f"({optimization.clip_norm})"
        )
    epoch = Epoch(
        epoch=number,
        train_loss=train_loss,
        dev_loss=judged.log_loss,
        dev_macro_f1=judged.macro_f1,
        seconds=seconds,
        tokens_per_second=tokens / seconds,
    )
    ahead = part.total - part.first - part.steps
    whole = time_left(time.perf_counter() - started, part.steps, part.steps + ahead)
    left = f", at most {whole} left" if ahead else ""  # patience may end it before
    reporter.say(
        f"epoch {number}/{rounds}: train loss {epoch.train_loss:.4f}, "
        f"dev loss {epoch.dev_loss:.4f}, dev macro-F1 {epoch.dev_macro_f1:.4f}, "
        f"{seconds:.1f} s, {epoch.tokens_per_second:,.0f} tokens/s{left}"
    )
    return epoch


def _judged(model: RecurrentClassifier, texts: EncodedTexts) -> Evaluation | None:
    """How good ``model`` is on ``texts``; None if what it says is no number."""
    outputs = logits(model, texts)
    if not np.isfinite(outputs).all():
        return None
    answers = to_probabilities(outputs, temperature=1.0, task=texts.task)
    return evaluate(
        answers,
        texts.truth,
        labels=texts.labels,
        # those it would be served with: 0.5 would judge rare labels by a bar that is not theirs
        thresholds=thresholds.choose(answers, texts.truth) if texts.task == "multi_label" else None,
    )


def _loss(
    model: RecurrentClassifier,
    batch: Batch,
    dropout: Dropout,
    *,
    task: Task,
    smoothing: float,
    mixed_precision: bool,
) -> Tensor:
    """Sum over the texts of the cross-entropy to the (soft) targets.

    Where labels are decided alone it is the sum of their binary cross-entropies, and smoothing
    moves each target towards one half.
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


def _stalled(history: tuple[Epoch, ...], patience: int) -> bool:
    return bool(history) and len(history) - best_epoch(history).epoch >= patience


def _without(gradient: Tensor, columns: int) -> Tensor:
    masked = gradient.clone()
    masked[:, :columns] = 0.0
    return masked
