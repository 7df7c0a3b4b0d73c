"""The network as a torch user would write it: ``nn.Embedding``, ``nn.LSTM``, masked pooling, a
layer.

The peers of every table run this network with the weights of an artifact. With padding, the
backward direction reads the padding first, as in most such code; with packing, it is exact.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from valence.service.classifier import artifact
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.classifier import Logits
from valence.service.classifier.vocabulary import WordIds

MODEL = "BENCH_MODEL"
"""Environment variable with the model folder that a server serves."""


class EagerNetwork(nn.Module):
    """A bidirectional LSTM of one layer with maximum, or mean and maximum, pooling over time."""

    def __init__(self, architecture: Architecture, tensors: artifact.Tensors) -> None:
        super().__init__()
        supported = (architecture.cell, architecture.layers, architecture.bidirectional)
        if supported != ("lstm", 1, True) or architecture.pooling not in ("max", "max_mean"):
            raise ValueError(f"peers are written for a bidirectional LSTM, not {architecture}")
        self.embedding = nn.Embedding(architecture.vocabulary_size, architecture.embedding_size)
        self.recurrent = nn.LSTM(
            architecture.embedding_size,
            architecture.hidden_size,
            batch_first=True,
            bidirectional=True,
        )
        self.output = nn.Linear(architecture.pooled_width, architecture.outputs)
        self.with_mean = architecture.pooling == "max_mean"
        self.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in tensors.items()})
        self.eval()

    def forward(self, ids: Tensor, lengths: Tensor, packed: bool = False) -> Tensor:
        """Return logits ``(batch, outputs)`` for padded ids ``(batch, time)``."""
        embedded = self.embedding(ids)
        if packed:
            sequence = pack_padded_sequence(
                embedded, lengths, batch_first=True, enforce_sorted=False
            )
            hidden, _ = pad_packed_sequence(self.recurrent(sequence)[0], batch_first=True)
        else:
            hidden, _ = self.recurrent(embedded)
        mask = (torch.arange(hidden.shape[1]) < lengths[:, None])[..., None]
        pooled = hidden.masked_fill(~mask, -torch.inf).amax(dim=1)
        if self.with_mean:
            mean = (hidden * mask).sum(dim=1) / lengths[:, None]
            pooled = torch.cat([pooled, mean], dim=1)
        return self.output(pooled)


def run(network: nn.Module, documents: Sequence[WordIds], *, packed: bool) -> Logits:
    """Return the logits of a batch; a single document needs neither padding nor packing."""
    lengths = torch.tensor([len(document) for document in documents])
    ids = pad_sequence([torch.from_numpy(d) for d in documents], batch_first=True).long()
    with torch.inference_mode():
        return network(ids, lengths, packed and len(documents) > 1).numpy()


class EagerClassifier:
    """Classifier of texts for the peers' servers: the tokenizer of the artifact, then torch."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        loaded = artifact.load(Path(os.environ[MODEL]))
        self._vocabulary = loaded.vocabulary
        self._labels = loaded.manifest.labels
        self._temperature = loaded.manifest.temperature
        self._max_tokens = loaded.manifest.max_tokens
        self._network = EagerNetwork(loaded.manifest.architecture, loaded.tensors)

    def classify(self, texts: Sequence[str]) -> list[dict[str, object]]:
        """Return a label and the scores of all labels for each text."""
        documents = [
            self._vocabulary.encode(text, max_tokens=self._max_tokens).ids for text in texts
        ]
        logits = torch.from_numpy(run(self._network, documents, packed=True))
        rows = torch.softmax(logits / self._temperature, dim=1).tolist()
        return [
            {
                "label": self._labels[max(range(len(row)), key=row.__getitem__)],
                "scores": dict(zip(self._labels, row, strict=True)),
            }
            for row in rows
        ]


def random_tensors(architecture: Architecture, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Return untrained weights with the scale of torch's initialization."""
    random = np.random.default_rng(seed)
    bound = architecture.hidden_size**-0.5
    return {
        name: random.uniform(-bound, bound, shape).astype(np.float32)
        if name != "embedding.weight"
        else random.standard_normal(shape).astype(np.float32)
        for name, shape in architecture.tensor_shapes().items()
    }
