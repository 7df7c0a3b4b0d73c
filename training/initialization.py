"""The weights a network starts from."""

from __future__ import annotations

import torch
from torch import nn
from valence.service.classifier.model import RecurrentClassifier
from valence.training.vectors import WordVectors

# of columns learnt from scratch, and of pre-trained columns for words that have no vector
_EMBEDDING_DEVIATION = 0.1


def initialize(
    model: RecurrentClassifier,
    vectors: WordVectors | None,
    *,
    seed: int,
) -> None:
    """Set every parameter, the same for the same seed.

    Input weights as Glorot and Bengio 2010, recurrent ones orthogonal a gate (Saxe et al. 2014),
    the LSTM's forget bias 1 (Jozefowicz et al. 2015), so that early on a cell keeps what it reads.
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
            # torch orders an LSTM's gates input, forget, cell, output; b_hh stays 0
            if ".bias_ih" in name and model.architecture.cell == "lstm":
                parameter[units : 2 * units] = 1.0
        if vectors is not None:
            pretrained = model.embedding.weight[:, : vectors.values.shape[1]]
            found = torch.from_numpy(vectors.found)[:, None]
            pretrained.copy_(torch.where(found, torch.from_numpy(vectors.values), pretrained))
