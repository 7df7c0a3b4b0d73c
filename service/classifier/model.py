"""The network in torch: what is trained, and the definition of what every engine computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from service.classifier.architecture import Architecture

_CELLS: dict[str, type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]] = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn": nn.RNN,
}


class RecurrentClassifier(nn.Module):
    """Word ids to logits, as :class:`~service.classifier.architecture.Architecture` defines.

    The dropout probabilities act in training mode only: on the embedded words, between stacked
    layers, and on the pooled vector.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        embedding_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        output_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.embedding = nn.Embedding(architecture.vocabulary_size, architecture.embedding_size)
        self.recurrent = _CELLS[architecture.cell](
            architecture.embedding_size,
            architecture.hidden_size,
            num_layers=architecture.layers,
            bidirectional=architecture.bidirectional,
            dropout=recurrent_dropout if architecture.layers > 1 else 0.0,
            batch_first=True,
        )
        if architecture.pooling == "attention":
            self.attention = nn.Parameter(torch.zeros(architecture.width))
        self.output = nn.Linear(architecture.pooled_width, architecture.labels)
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.output_dropout = nn.Dropout(output_dropout)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits ``(batch, labels)`` of padded word ids ``(batch, time)``.

        ``lengths`` ``(batch,)`` lies on the CPU; every length is at least 0, and what the padding
        holds does not matter.
        """
        embedded = self.embedding_dropout(self.embedding(ids))  # (B, T, E)
        # torch packs no empty sequence: an empty document runs one step, which pooling masks out
        packed = pack_padded_sequence(
            embedded, lengths.clamp(min=1), batch_first=True, enforce_sorted=False
        )
        hidden, _ = pad_packed_sequence(
            self.recurrent(packed)[0], batch_first=True, total_length=ids.shape[1]
        )  # (B, T, D)
        logits: Tensor = self.output(self.output_dropout(self._pool(hidden, lengths.to(ids.device))))
        return logits

    def _pool(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, time, width)`` to ``(batch, pooled width)``, padding left out."""
        # an empty document counts its one dummy step here and is zeroed at the end
        present = lengths.clamp(min=1)
        mask = torch.arange(hidden.shape[1], device=hidden.device) < present[:, None]  # (B, T)
        match self.architecture.pooling:
            case "last":
                rows = torch.arange(len(hidden), device=hidden.device)
                forward = hidden[rows, present - 1]
                units = self.architecture.hidden_size
                pooled = torch.cat([forward[:, :units], hidden[:, 0, units:]], dim=1)
            case "max":
                pooled = _max(hidden, mask)
            case "mean":
                pooled = _mean(hidden, mask)
            case "max_mean":
                pooled = torch.cat([_max(hidden, mask), _mean(hidden, mask)], dim=1)
            case "attention":
                scores = torch.tanh(hidden) @ self.attention  # (B, T)
                weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=1)
                pooled = (weights[:, None] @ hidden)[:, 0]
        return pooled.masked_fill((lengths == 0)[:, None], 0.0)


def _max(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden.masked_fill(~mask[..., None], -torch.inf).amax(dim=1)


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    return (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
