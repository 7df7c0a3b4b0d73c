"""The shape of a classifier, a recurrent network or n-grams or both, and of every tensor in it."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Cell = Literal["lstm", "gru", "rnn"]
Pooling = Literal["last", "max", "mean", "max_mean", "attention"]

GATES: dict[Cell, int] = {"lstm": 4, "gru": 3, "rnn": 1}

# Bounds far above what a useful classifier of this kind has. A file beyond them is damaged, or was
# made to exhaust the memory or the time of its reader.
MAX_WORDS = 10_000_000
MAX_LABELS = 10_000
MAX_SIZE = 16_384
"""Columns of the embedding, and units per direction."""
MAX_LAYERS = 64
MAX_NGRAMS = 10_000_000
MAX_ORDER = 3
"""Words of an n-gram."""
NGRAM_WORDS, NGRAM_SCALES, NGRAM_WEIGHTS = "ngrams.words", "ngrams.scales", "ngrams.weights"
MAX_NUMBERS = 2**32
"""Numbers in all tensors together, and in the table of gates that an engine makes of them."""


class Architecture(BaseModel):
    """``embedding -> layers of recurrent cells -> pooling over time -> linear``, plus n-grams.

    With ``ngrams``, the logits of a linear model over n-grams of words are added
    (:mod:`valence.service.classifier.ngrams`). Without ``layers`` the n-grams stand alone, and the
    sizes of the network are 0.

    With ``outside``, the linear part of the network, or the n-grams that stand alone, have one row
    after those of the labels. Its logit tells whether a text belongs to none of them. Beside a
    network, no n-gram is added to it.

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

    vocabulary_size: int = Field(ge=1, le=MAX_WORDS)
    embedding_size: int = Field(default=0, ge=0, le=MAX_SIZE)
    hidden_size: int = Field(default=0, ge=0, le=MAX_SIZE, description="units per direction")
    layers: int = Field(default=1, ge=0, le=MAX_LAYERS)
    cell: Cell = "lstm"
    bidirectional: bool = True
    pooling: Pooling = "max_mean"
    labels: int = Field(ge=2, le=MAX_LABELS)
    ngrams: int = Field(default=0, ge=0, le=MAX_NGRAMS)
    outside: bool = Field(
        default=False, description="whether one more logit tells texts outside the labels"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("embedding_size", "hidden_size"):
            if (getattr(self, name) > 0) != (self.layers > 0):
                raise ValueError(
                    f"{name} is {getattr(self, name)} with {self.layers} layers: a network has "
                    "both, and n-grams alone have neither"
                )
        if not (self.layers or self.ngrams):
            raise ValueError("layers and ngrams are both 0: the classifier reads nothing")
        return self

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        numbers = sum(math.prod(shape) for shape in self.tensor_shapes().values())
        gates = self.vocabulary_size * self.directions * GATES[self.cell] * self.hidden_size
        for what, count in (("tensors", numbers), ("table of gates", gates)):
            if count > MAX_NUMBERS:
                raise ValueError(
                    f"the {what} would have {count:,} numbers, at most {MAX_NUMBERS:,} are read"
                )
        return self

    @property
    def kind(self) -> str:
        """The cell, or ``linear`` for n-grams alone."""
        return self.cell if self.layers else "linear"

    @property
    def title(self) -> str:
        """What the classifier is, for readers."""
        linear = "linear model over n-grams of words"
        if not self.layers:
            return linear
        network = f"{'bidirectional ' * self.bidirectional}{self.cell.upper()} over words"
        return f"{network} with a {linear}" if self.ngrams else network

    @property
    def directions(self) -> int:
        """2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def width(self) -> int:
        """Size of the output of a layer for one token."""
        return self.hidden_size * self.directions

    @property
    def outputs(self) -> int:
        """The logits of a document: one for each label, then that of ``outside``."""
        return self.labels + self.outside

    @property
    def pooled_width(self) -> int:
        """Size of the pooled vector of a document."""
        return self.width * (2 if self.pooling == "max_mean" else 1)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, exactly as in ``model.safetensors``."""
        shapes = self._network_shapes() if self.layers else {}
        shapes["output.bias"] = (self.outputs,)
        if self.ngrams:
            shapes[NGRAM_WORDS] = (self.ngrams, MAX_ORDER)
            shapes[NGRAM_SCALES] = (self.ngrams,)
            shapes[NGRAM_WEIGHTS] = (self.ngrams, self.labels if self.layers else self.outputs)
        return shapes

    def _network_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the recurrent network."""
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
        shapes["output.weight"] = (self.outputs, self.pooled_width)
        return shapes
