"""The initial weights of a network."""

from __future__ import annotations

import torch
from torch import nn
from valence.service.classifier.model import RecurrentClassifier
from valence.training.embeddings.word_vectors import WordVectors

# Of columns that are learnt from scratch, and of pre-trained columns of words without a vector.
_EMBEDDING_DEVIATION = 0.1


def initialize(
    model: RecurrentClassifier,
    vectors: WordVectors | None,
    *,
    seed: int,
) -> None:
    """Set every parameter; the same seed gives the same values.

    Input weights as in Glorot and Bengio 2010, recurrent weights orthogonal per gate (Saxe et al.
    2014), and the LSTM's forget bias 1 (Jozefowicz et al. 2015), so that a cell keeps its content
    early in training.
    """
    torch.manual_seed(seed)
    units = model.architecture.hidden_size
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".weight_hh" in name:
                for gate in torch.split(parameter, units):
                    nn.init.orthogonal_(gate)
            elif ".weight_ih" in name or name == "output.weight":
                nn.init.xavier_uniform_(parameter)
            elif name == "embedding.weight":
                nn.init.normal_(parameter, std=_EMBEDDING_DEVIATION)
            else:
                nn.init.zeros_(parameter)
            # torch orders the gates of an LSTM as input, forget, cell, output; b_hh stays 0.
            if ".bias_ih" in name and model.architecture.cell == "lstm":
                parameter[units : 2 * units] = 1.0
        if vectors is not None:
            pretrained = model.embedding.weight[:, : vectors.values.shape[1]]
            found = torch.from_numpy(vectors.found)[:, None]
            pretrained.copy_(torch.where(found, torch.from_numpy(vectors.values), pretrained))
