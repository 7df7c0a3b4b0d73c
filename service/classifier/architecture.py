"""The shape of the network of a classifier, and of every tensor in it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Cell = Literal["lstm", "gru", "rnn"]
Pooling = Literal["last", "max", "mean", "max_mean", "attention"]

GATES: dict[Cell, int] = {"lstm": 4, "gru": 3, "rnn": 1}


class Architecture(BaseModel):
    """``embedding -> layers of recurrent cells -> pooling over time -> linear``.

    Cells are defined as in ``torch.nn`` (LSTM, GRU, and RNN with tanh), with the gates in torch's
    order. Below, ``h`` is the output of the last layer, ``(tokens, width)``, with the directions
    concatenated, forward first.

    * ``last``: the forward half of ``h`` of the last token, the backward half of the first token;
    * ``max``, ``mean``: over tokens; ``max_mean``: both, concatenated in that order;
    * ``attention``: ``softmax(tanh(h) @ attention)`` weights ``h`` (Zhou et al. 2016, without the
      final tanh).

    A document without tokens pools to zeros: its logits are the output bias.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary_size: int = Field(ge=1)
    embedding_size: int = Field(ge=1)
    hidden_size: int = Field(ge=1, description="units per direction")
    layers: int = Field(default=1, ge=1)
    cell: Cell = "lstm"
    bidirectional: bool = True
    pooling: Pooling = "max_mean"
    labels: int = Field(ge=2)

    @property
    def directions(self) -> int:
        """2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def width(self) -> int:
        """Size of the output of a layer for one token."""
        return self.hidden_size * self.directions

    @property
    def pooled_width(self) -> int:
        """Size of the pooled vector of a document."""
        return self.width * (2 if self.pooling == "max_mean" else 1)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, exactly as in ``model.safetensors``."""
        shapes: dict[str, tuple[int, ...]] = {
            "embedding.weight": (self.vocabulary_size, self.embedding_size)
        }
        rows = GATES[self.cell] * self.hidden_size
        for layer in range(self.layers):
            columns = self.embedding_size if layer == 0 else self.width
            for direction in ("", "_reverse")[: self.directions]:
                suffix = f"l{layer}{direction}"
                shapes[f"recurrent.weight_ih_{suffix}"] = (rows, columns)
                shapes[f"recurrent.weight_hh_{suffix}"] = (rows, self.hidden_size)
                shapes[f"recurrent.bias_ih_{suffix}"] = (rows,)
                shapes[f"recurrent.bias_hh_{suffix}"] = (rows,)
        if self.pooling == "attention":
            shapes["attention"] = (self.width,)
        shapes["output.weight"] = (self.labels, self.pooled_width)
        shapes["output.bias"] = (self.labels,)
        return shapes
