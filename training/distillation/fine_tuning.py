"""The teacher: a transformer with a linear layer on the mean over a text's pieces.

Reimers, Gurevych: *Sentence-BERT*, EMNLP 2019, for the mean; Devlin et al.: *BERT*, NAACL 2019, for
tuning all of it at once, for few epochs, at a small learning rate.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from valence.service.classifier.manifest import Task
from valence.training.data.batches import plan
from valence.training.runtime import tensor_file
from valence.training.runtime.progress import time_left
from valence.training.runtime.run import Run
from valence.training.trainer import optimizer as descent

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from valence.training.config.schema import Distillation

_PARTS = ("model", "optimizer")
_BATCH_PIECES = 1_024
# no gradients are kept when answering
_ANSWERED_PIECES = 8_192
_WARMUP = 0.1  # of all steps
_WEIGHT_DECAY = 0.01
_CLIP_NORM = 1.0
_SAVED_SECONDS = 120.0
_TOLD = 10  # times an epoch


class Network(nn.Module):
    """Logits of texts cut into pieces."""

    def __init__(self, encoder: nn.Module, *, hidden_size: int, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(0.1)
        self.output = nn.Linear(hidden_size, labels)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """``ids`` and ``mask``, 1 where there is a piece, are ``(B, T)``; logits ``(B, K)``."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state  # (B, T, H)
        real = mask[:, :, None].to(hidden.dtype)
        mean = (hidden * real).sum(1) / real.sum(1).clamp(min=1.0)  # (B, H)
        logits: Tensor = self.output(self.dropout(mean))
        return logits.float()


class Pieces:
    """Texts cut into pieces by a teacher's tokenizer, at most ``longest`` a text.

    Of a longer one its first and its last pieces are read, half of them each: a review's verdict
    is often its end (Sun et al.: *How to Fine-Tune BERT for Text Classification?*, CCL 2019).
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
        for row, place in zip(ids, rows, strict=True):
            row[: self.lengths[place]] = torch.tensor(self._ids[place])
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        return ids.to(device), mask.to(device)


def computes_bf16(device: torch.device) -> bool:
    """Whether ``device`` multiplies in bf16 faster than in fp32; processors without emulate it."""
    if device.type == "cpu":
        has_bf16: bool = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return has_bf16
    return device.type == "cuda"


def fine_tune(
    network: Network,
    pieces: Pieces,
    targets: NDArray[np.float32],
    *,
    settings: Distillation,
    task: Task,
    seed: int,
    run: Run,
    checkpoint: Path,
    title: str,
) -> None:
    """Tune all of ``network`` on ``pieces`` to give ``targets``, ``(N, K)`` probabilities.

    AdamW with warm-up and linear decay. Each step draws its random numbers from the seed and its
    own number, and where training stands is kept in ``checkpoint`` every two minutes, so that a
    run that was interrupted ends with the weights it would have had.
    """
    network.to(run.device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=_WEIGHT_DECAY, fused=True
    )
    batches = [
        rows
        for epoch in range(settings.epochs)
        for rows in plan(pieces.lengths, tokens=_BATCH_PIECES, seed=seed * 10_007 + epoch)
    ]
    first = _restored(network, optimizer, checkpoint)
    if first:
        run.reporter.say(f"{title}: continuing after {first:,} of {len(batches):,} batches")
    warmup = max(1, int(_WARMUP * len(batches)))
    told = max(1, len(batches) // (_TOLD * settings.epochs))
    network.train()
    started = saved = time.perf_counter()
    read, loss_sum, texts = 0, 0.0, 0
    with run.reporter.bar(title, total=len(batches), done=first) as advance:
        for step in range(first, len(batches)):
            rows = batches[step]
            decay = (len(batches) - step) / max(1, len(batches) - warmup)
            rate = settings.learning_rate * min((step + 1) / warmup, decay)
            descent.set_learning_rate(optimizer, rate)
            torch.manual_seed(seed * 1_000_003 + step)
            optimizer.zero_grad()
            loss = _loss(network, pieces, rows, targets, task=task, device=run.device)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), _CLIP_NORM)
            optimizer.step()
            now = time.perf_counter()
            read += int(pieces.lengths[rows].sum())
            loss_sum, texts = loss_sum + loss.item() * len(rows), texts + len(rows)
            advance(tokens_per_second=read / (now - started))
            if (step + 1) % told == 0:
                left = time_left(now - started, step + 1 - first, len(batches) - first)
                run.reporter.say(
                    f"{title}: {(step + 1) / len(batches):.0%}, loss {loss_sum / texts:.4f}, "
                    f"{read / (now - started):,.0f} pieces/s, {left} left"
                )
                loss_sum, texts = 0.0, 0
            if now - saved > _SAVED_SECONDS:
                parts = {
                    "model": tensor_file.copied(network),
                    "optimizer": tensor_file.flattened(optimizer),
                }
                tensor_file.write(checkpoint, parts, {"step": step + 1})
                saved = now


def answers(
    network: Network, pieces: Pieces, rows: NDArray[np.int64], device: torch.device
) -> NDArray[np.float32]:
    """Logits ``(rows, K)`` of some of the texts, without dropout."""
    network.to(device).eval()
    found = np.empty((len(rows), network.output.out_features), dtype=np.float32)
    bf16 = computes_bf16(device)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for places in plan(pieces.lengths[rows], tokens=_ANSWERED_PIECES):
            found[places] = network(*pieces.batch(rows[places], device)).cpu().numpy()
    return found


def _loss(
    network: Network,
    pieces: Pieces,
    rows: NDArray[np.int64],
    targets: NDArray[np.float32],
    *,
    task: Task,
    device: torch.device,
) -> Tensor:
    """Mean over the texts of the cross-entropy; of labels decided alone the sum of theirs."""
    wanted = torch.from_numpy(targets[rows]).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=computes_bf16(device)):
        outputs = network(*pieces.batch(rows, device))
    if task == "multi_label":
        summed = functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="sum")
        return summed / len(rows)
    return functional.cross_entropy(outputs, wanted)


def _restored(network: Network, optimizer: torch.optim.Optimizer, checkpoint: Path) -> int:
    """Batches that an interrupted run has done, which ``network`` then is as good as trained on."""
    try:
        parts, rest = tensor_file.read(checkpoint, _PARTS)
        network.load_state_dict(parts["model"])
        tensor_file.restore(optimizer, parts["optimizer"])
        return int(rest["step"])
    except tensor_file.UNREADABLE:
        return 0
