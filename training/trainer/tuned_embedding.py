"""An embedding of which training changes the rows of the most frequent words alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class TunedEmbedding(nn.Embedding):
    """``embedding`` with its first ``words`` rows as parameter; the other rows stay as they are.

    ``weight`` is ``(words, columns)``, so that the optimizer, its gradients and a checkpoint have
    the size of the tuned rows. Raises ``ValueError`` unless ``words`` is at least 1 and less than
    the number of rows.
    """

    def __init__(self, embedding: nn.Embedding, words: int) -> None:
        rows = embedding.weight.detach()
        if not 1 <= words < len(rows):
            raise ValueError(f"words = {words}: an embedding of {len(rows)} rows has no such part")
        super().__init__(words, rows.shape[1], _weight=rows[:words].clone())
        self.fixed: Tensor
        # not in a checkpoint: the rows never change
        self.register_buffer("fixed", rows[words:].clone(), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """The rows ``(*, columns)`` of ``ids`` ``(*)``."""
        is_tuned = ids < self.num_embeddings
        tuned = functional.embedding(ids.where(is_tuned, 0), self.weight)
        fixed = functional.embedding((ids - self.num_embeddings).clamp(min=0), self.fixed)
        return torch.where(is_tuned[..., None], tuned, fixed)

    def join(self) -> nn.Embedding:
        """All rows as one embedding."""
        rows = torch.cat([self.weight.detach(), self.fixed])
        return nn.Embedding(len(rows), rows.shape[1], _weight=rows)
