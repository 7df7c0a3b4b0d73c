"""Tune an encoder to classify: a transformer with a linear layer on the mean of a text's pieces.

Reimers, Gurevych: *Sentence-BERT*, EMNLP 2019, for the mean; Devlin et al.: *BERT*, NAACL 2019, for
tuning all weights together, for few epochs, at a small learning rate.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from valence.service.classifier.manifest import Task
from valence.training.data.batches import plan_batches
from valence.training.runtime import tensor_file
from valence.training.runtime.progress import time_left
from valence.training.runtime.run import Run
from valence.training.trainer import optimizer as optimizers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from valence.training.config.schema import Distillation

_PARTS = ("model", "optimizer")
_BATCH_PIECES = 1_024
# Inference keeps no gradients, so its batches may be larger.
_INFERENCE_PIECES = 8_192
_WARMUP = 0.1  # of all steps
_WEIGHT_DECAY = 0.01
_CLIP_NORM = 1.0
_SAVE_SECONDS = 120.0
_REPORTS = 10  # per epoch


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """How an encoder is tuned, and the ``checkpoint`` that an interrupted run continues from.

    ``title`` names the training in the progress reports.
    """

    settings: Distillation
    task: Task
    seed: int
    checkpoint: Path
    title: str


class EncoderClassifier(nn.Module):
    """An encoder and a linear layer: from texts cut into pieces to logits."""

    def __init__(self, encoder: nn.Module, *, hidden_size: int, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(0.1)
        self.output = nn.Linear(hidden_size, labels)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits ``(B, K)`` of ``ids`` ``(B, T)``; ``mask`` ``(B, T)`` is 1 at each piece."""
        logits: Tensor = self.output(self.dropout(self.embed(ids, mask)))
        return logits.float()

    def embed(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The means ``(B, H)`` of the encoder's outputs for the pieces of each text."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state  # (B, T, H)
        weights = mask[:, :, None].to(hidden.dtype)
        mean: Tensor = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        return mean


class Pieces:
    """Texts cut into pieces by a teacher's tokenizer, at most ``longest`` pieces per text.

    A longer text keeps its first and its last pieces, half of ``longest`` each: the verdict of a
    review is often at its end (Sun et al.: *How to Fine-Tune BERT for Text Classification?*, CCL
    2019).
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, longest: int
    ) -> None:
        self._padding = int(tokenizer.pad_token_id)
        last = longest // 2
        self._ids: list[list[int]] = [
            ids if len(ids) <= longest else [*ids[: longest - last], *ids[-last:]]
            for ids in tokenizer(list(texts), truncation=False)["input_ids"]
        ]
        self.lengths = np.array([len(ids) for ids in self._ids], dtype=np.int64)

    def batch(self, rows: NDArray[np.int64], device: torch.device) -> tuple[Tensor, Tensor]:
        """Ids and mask of the texts of ``rows``, each ``(B, T)``."""
        lengths = torch.from_numpy(self.lengths[rows])
        ids = torch.full((len(rows), int(lengths.max())), self._padding)
        for row, index in zip(ids, rows, strict=True):
            row[: self.lengths[index]] = torch.tensor(self._ids[index])
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        return ids.to(device), mask.to(device)


def computes_bf16(device: torch.device) -> bool:
    """Whether ``device`` has bf16 arithmetic; other processors emulate bf16, slower than fp32."""
    if device.type == "cpu":
        has_bf16: bool = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return has_bf16
    return device.type == "cuda"


def fine_tune(
    network: EncoderClassifier,
    pieces: Pieces,
    targets: NDArray[np.float32],
    plan: TuningPlan,
    run: Run,
) -> None:
    """Tune all weights of ``network`` on ``pieces`` towards ``targets``, probabilities ``(N, K)``.

    AdamW with warm-up and linear decay. Each step draws its random numbers from the seed and its
    own number, and the state of the training is saved every two minutes. An interrupted run
    therefore ends with exactly the weights of a run without interruption.
    """
    settings, seed, title, checkpoint = plan.settings, plan.seed, plan.title, plan.checkpoint
    network.to(run.device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=_WEIGHT_DECAY, fused=True
    )
    batches = [
        rows
        for epoch in range(settings.epochs)
        for rows in plan_batches(pieces.lengths, tokens=_BATCH_PIECES, seed=seed * 10_007 + epoch)
    ]
    first = _restore(network, optimizer, checkpoint)
    if first:
        run.reporter.say(f"{title}: continuing after {first:,} of {len(batches):,} batches")
    warmup = max(1, int(_WARMUP * len(batches)))
    report_steps = max(1, len(batches) // (_REPORTS * settings.epochs))
    network.train()
    started = saved = time.perf_counter()
    piece_count, loss_sum, text_count = 0, 0.0, 0
    with run.reporter.bar(title, total=len(batches), done=first) as advance:
        for step in range(first, len(batches)):
            rows = batches[step]
            decay = (len(batches) - step) / max(1, len(batches) - warmup)
            learning_rate = settings.learning_rate * min((step + 1) / warmup, decay)
            optimizers.set_learning_rate(optimizer, learning_rate)
            torch.manual_seed(seed * 1_000_003 + step)
            optimizer.zero_grad()
            loss = _compute_loss(network, pieces, rows, targets, task=plan.task, device=run.device)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), _CLIP_NORM)
            optimizer.step()
            now = time.perf_counter()
            piece_count += int(pieces.lengths[rows].sum())
            loss_sum, text_count = loss_sum + loss.item() * len(rows), text_count + len(rows)
            advance(tokens_per_second=piece_count / (now - started))
            if (step + 1) % report_steps == 0:
                left = time_left(now - started, step + 1 - first, len(batches) - first)
                run.reporter.say(
                    f"{title}: {(step + 1) / len(batches):.0%}, loss {loss_sum / text_count:.4f}, "
                    f"{piece_count / (now - started):,.0f} pieces/s, {left} left"
                )
                loss_sum, text_count = 0.0, 0
            if now - saved > _SAVE_SECONDS:
                parts = {
                    "model": tensor_file.copy_weights(network),
                    "optimizer": tensor_file.flatten_optimizer(optimizer),
                }
                tensor_file.write_tensors(checkpoint, parts, {"step": step + 1})
                saved = now


def compute_vectors(
    network: EncoderClassifier, pieces: Pieces, device: torch.device
) -> NDArray[np.float32]:
    """The vectors ``(N, H)`` of all texts of ``pieces``."""
    network.to(device).eval()
    vectors = np.empty((len(pieces.lengths), network.output.in_features), dtype=np.float32)
    with torch.inference_mode():
        for chunk in plan_batches(pieces.lengths, tokens=_INFERENCE_PIECES):
            vectors[chunk] = network.embed(*pieces.batch(chunk, device)).float().cpu().numpy()
    return vectors


def compute_logits(
    network: EncoderClassifier, pieces: Pieces, rows: NDArray[np.int64], device: torch.device
) -> NDArray[np.float32]:
    """Logits ``(N, K)`` of the N texts at ``rows``, without dropout."""
    network.to(device).eval()
    logits = np.empty((len(rows), network.output.out_features), dtype=np.float32)
    bf16 = computes_bf16(device)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for chunk in plan_batches(pieces.lengths[rows], tokens=_INFERENCE_PIECES):
            logits[chunk] = network(*pieces.batch(rows[chunk], device)).cpu().numpy()
    return logits


def _compute_loss(
    network: EncoderClassifier,
    pieces: Pieces,
    rows: NDArray[np.int64],
    targets: NDArray[np.float32],
    *,
    task: Task,
    device: torch.device,
) -> Tensor:
    """The mean over the texts of the cross-entropy; for a multi-label task, of the labels' sum."""
    batch_targets = torch.from_numpy(targets[rows]).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=computes_bf16(device)):
        outputs = network(*pieces.batch(rows, device))
    if task == "multi_label":
        summed = functional.binary_cross_entropy_with_logits(
            outputs, batch_targets, reduction="sum"
        )
        return summed / len(rows)
    return functional.cross_entropy(outputs, batch_targets)


def _restore(network: EncoderClassifier, optimizer: torch.optim.Optimizer, checkpoint: Path) -> int:
    """Restore the state of an interrupted run; the number of batches that it has done."""
    try:
        parts, values = tensor_file.read_tensors(checkpoint, _PARTS)
        network.load_state_dict(parts["model"])
        tensor_file.restore_optimizer(optimizer, parts["optimizer"])
        return int(values["step"])
    except tensor_file.UNREADABLE:
        return 0
