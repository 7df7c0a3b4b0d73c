"""The network in torch: training trains it, and every engine computes the same function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from valence.service.classifier.architecture import Architecture

_CELLS: dict[str, type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]] = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn": nn.RNN,
}


class Dropout(Protocol):
    """Dropout for one step of training, at each place of the network that has dropout.

    Each method sets some of the values to 0 and scales the others, so that the expected values stay
    the same.
    """

    def embedded(self, values: Tensor) -> Tensor:
        """Dropout of the embedded words ``(batch, time, embedding size)``."""
        ...

    def between_layers(self, values: Tensor) -> Tensor:
        """Dropout of the output of a layer ``(batch, time, width)``; called in layer order."""
        ...

    def pooled(self, values: Tensor) -> Tensor:
        """Dropout of the pooled vectors ``(batch, pooled width)``."""
        ...


class RecurrentClassifier(nn.Module):
    """Word ids to logits, as defined in :mod:`valence.service.classifier.architecture`.

    Each direction of each layer is its own ``torch.nn`` recurrence. The backward recurrence reads
    each document from its last token, so padding always follows the words and does not influence
    them. The result is that of a bidirectional ``nn.LSTM`` over packed sequences, at about twice
    the speed in training, because torch's fused CPU kernel does not support packed sequences.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.embedding = nn.Embedding(architecture.vocabulary_size, architecture.embedding_size)
        cell = _CELLS[architecture.cell]
        inputs = [architecture.embedding_size] + [architecture.width] * (architecture.layers - 1)
        self.left_to_right, self.right_to_left = (
            nn.ModuleList(cell(size, architecture.hidden_size, batch_first=True) for size in sizes)
            for sizes in (inputs, inputs if architecture.bidirectional else [])
        )
        if architecture.pooling == "attention":
            self.attention = nn.Parameter(torch.zeros(architecture.width))
        self.output = nn.Linear(architecture.pooled_width, architecture.outputs)

    def forward(self, ids: Tensor, lengths: Tensor, dropout: Dropout | None = None) -> Tensor:
        """Logits ``(batch, outputs)`` of padded word ids ``(batch, time)``, ``time`` at least 1.

        ``lengths`` is ``(batch,)``. The ids of the padding do not matter. A document may be empty.
        """
        logits: Tensor = self.output(self.pool(ids, lengths, dropout))
        return logits

    def pool(self, ids: Tensor, lengths: Tensor, dropout: Dropout | None = None) -> Tensor:
        """The pooled vectors ``(batch, pooled width)`` of documents as :meth:`forward` has them."""
        hidden = self.embedding(ids)  # (B, T, E)
        if dropout is not None:
            hidden = dropout.embedded(hidden)
        order = reversed_steps(lengths, ids.shape[1])[..., None]  # (B, T, 1)
        for layer, forward in enumerate(self.left_to_right):
            if layer > 0 and dropout is not None:
                hidden = dropout.between_layers(hidden)
            outputs = [forward(hidden)[0]]
            if self.architecture.bidirectional:
                backward = self.right_to_left[layer](reorder(hidden, order))[0]
                outputs.append(reorder(backward, order))
            hidden = torch.cat(outputs, dim=2)  # (B, T, D)
        pooled = self._pool(hidden, lengths)  # (B, P)
        if dropout is not None:
            pooled = dropout.pooled(pooled)
        return pooled

    def _pool(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """``(batch, time, width)`` to ``(batch, pooled width)``, without padding."""
        # an empty document has one dummy step here; its vector becomes 0 at the end
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


def reversed_steps(lengths: Tensor, time: int) -> Tensor:
    """Indices of steps ``(batch, time)``: each document from last to first, then its padding."""
    steps = torch.arange(time, device=lengths.device)
    last = lengths[:, None] - 1  # (B, 1)
    return torch.where(steps <= last, last - steps, steps)


def reorder(hidden: Tensor, order: Tensor) -> Tensor:
    """``hidden`` ``(batch, time, width)`` with the steps of each document in ``order``."""
    return hidden.gather(1, order.expand_as(hidden))


def tensors(model: RecurrentClassifier) -> dict[str, Tensor]:
    """The parameters of ``model`` with the names of ``Architecture.tensor_shapes``."""
    return {_artifact_name(name): value for name, value in model.state_dict().items()}


def load_tensors(model: RecurrentClassifier, values: Mapping[str, Tensor]) -> None:
    """Use ``values`` as the parameters of ``model``, without a copy."""
    names = {_artifact_name(name): name for name in model.state_dict()}
    model.load_state_dict({names[name]: value for name, value in values.items()}, assign=True)


def _artifact_name(parameter: str) -> str:
    """``right_to_left.1.weight_ih_l0`` to torch's ``recurrent.weight_ih_l1_reverse``."""
    module, _, rest = parameter.partition(".")
    if module not in {"left_to_right", "right_to_left"}:
        return parameter
    layer, kind = rest.split(".")
    direction = "_reverse" if module == "right_to_left" else ""
    return f"recurrent.{kind.removesuffix('0')}{layer}{direction}"
