"""The language model: a classifier's embedding and first recurrences under one adaptive softmax."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from service.classifier.model import Dropout, RecurrentClassifier, mirrored, reorder
from training.pretraining.cutoffs import DIVISOR
from training.state import Tensors, copied

_PARTS = ("embedding.", "left_to_right.0.", "right_to_left.0.")


class LanguageModel(nn.Module):
    """Tells each word of a text from those before it, and from those after it.

    It is made of the very modules of ``network``: to train it is to train these. Each direction
    reads alone; both share the embedding and the softmax (Peters et al., NAACL 2018). Of stacked
    layers it has the first: the second reads both directions, and so the word that is to be told.
    """

    def __init__(self, network: RecurrentClassifier, *, cutoffs: Sequence[int]) -> None:
        super().__init__()
        architecture = network.architecture
        self.embedding = network.embedding
        self.directions = nn.ModuleList(
            [network.left_to_right[0], *list(network.right_to_left)[:1]]
        )
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(
            architecture.hidden_size, architecture.vocabulary_size, cutoffs, div_value=DIVISOR
        )

    def forward(self, ids: Tensor, lengths: Tensor, dropout: Dropout | None = None) -> Tensor:
        """Nats of all words that have one before them, in each direction, together: a sum.

        ``ids`` are ``(B, T)``, padded; ``lengths`` are ``(B,)``. In the forward direction a text's
        first word is told from none, in the backward direction its last.
        """
        hidden = self.embedding(ids)  # (B, T, E)
        if dropout is not None:
            hidden = dropout.embedded(hidden)
        order = mirrored(lengths, ids.shape[1])  # (B, T)
        inside = torch.arange(1, ids.shape[1], device=ids.device) < lengths[:, None]  # (B, T - 1)
        states, words = [], []
        for direction in self.directions:
            outputs = direction(hidden)[0]  # (B, T, H)
            if dropout is not None:
                outputs = dropout.between_layers(outputs)
            states.append(outputs[:, :-1][inside])
            words.append(ids[:, 1:][inside])
            # what the next one reads
            hidden, ids = reorder(hidden, order[..., None]), ids.gather(1, order)
        told: Tensor = self.softmax(torch.cat(states), torch.cat(words)).output
        return -told.sum()


def starting_weights(network: RecurrentClassifier) -> Tensors:
    """What a language model trains of ``network``, by their names there."""
    return {name: value for name, value in copied(network).items() if name.startswith(_PARTS)}
