"""The shape of a classifier's network, and of every tensor in it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Cell = Literal["lstm", "gru", "rnn"]
Pooling = Literal["last", "max", "mean", "max_mean", "attention"]

GATES: dict[Cell, int] = {"lstm": 4, "gru": 3, "rnn": 1}


class Architecture(BaseModel):
    """``embedding -> layers of recurrent cells -> pooling over time -> linear``.

    Cells are defined as in ``torch.nn`` (LSTM, GRU, and RNN with tanh), their gates in torch's
    order. Below, ``h`` is the last layer's output, ``(tokens, width)``, directions concatenated,
    forward first.

    * ``last``: the forward half of the last token's ``h``, the backward half of the first one's;
    * ``max``, ``mean``: over tokens; ``max_mean``: both, concatenated in that order;
    * ``attention``: ``softmax(tanh(h) @ attention)`` weights ``h`` (Zhou et al. 2016, without the
      final tanh).

    A document without tokens pools to zeros: its logits are the output bias.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary_size: int = Field(ge=1)
    embedding_size: int = Field(ge=1)
    hidden_size: int = Field(ge=1, description="units a direction")
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
        """Size of one token's output of a layer."""
        return self.hidden_size * self.directions

    @property
    def pooled_width(self) -> int:
        """Size of a document's pooled vector."""
        return self.width * (2 if self.pooling == "max_mean" else 1)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every parameter's name and shape, exactly what ``model.safetensors`` holds."""
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
