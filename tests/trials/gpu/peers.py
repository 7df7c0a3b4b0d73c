"""The same network by other means of torch: each takes word ids and returns logits in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.model import RecurrentClassifier, load_tensors

from tests.trials.gpu.network import Documents

Answer = Callable[[Documents], NDArray[np.float32]]
_WARM_UPS = 3


class PackedNetwork(nn.Module):
    """The network as torch's users write it: one bidirectional ``nn.LSTM`` over packed texts."""

    def __init__(self, artifact: Artifact) -> None:
        super().__init__()
        shape = artifact.manifest.architecture
        tensors = {name: torch.from_numpy(value) for name, value in artifact.tensors.items()}
        self.embedding = nn.Embedding.from_pretrained(tensors["embedding.weight"])
        self.lstm = nn.LSTM(
            shape.embedding_size, shape.hidden_size, batch_first=True, bidirectional=True
        )
        prefix = "recurrent."
        self.lstm.load_state_dict(
            {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
        )
        self.output = nn.Linear(shape.pooled_width, shape.outputs)
        self.output.load_state_dict(
            {"weight": tensors["output.weight"], "bias": tensors["output.bias"]}
        )

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits of padded ``ids``; ``lengths`` are on the processor, none of them is 0."""
        packed = pack_padded_sequence(
            self.embedding(ids), lengths, batch_first=True, enforce_sorted=False
        )
        hidden, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        there = lengths.to(ids.device)
        mask = (torch.arange(ids.shape[1], device=ids.device) < there[:, None])[..., None]
        highest = hidden.masked_fill(~mask, -torch.inf).amax(dim=1)
        logits: Tensor = self.output(torch.cat([highest, hidden.sum(1) / there[:, None]], dim=1))
        return logits


def make_eager(artifact: Artifact, device: torch.device) -> Answer:
    """Eager torch."""
    model = PackedNetwork(artifact).to(device, precision(device)).eval()

    def answer(documents: Documents) -> NDArray[np.float32]:
        ids, lengths = pad(documents)
        with torch.inference_mode():
            return _fetch(model(ids.to(device), lengths))

    return answer


def make_compiled(artifact: Artifact, device: torch.device) -> Answer:
    """``torch.compile`` of the network that trains, for one shape of a batch."""
    torch.compiler.reset()
    compiled = torch.compile(_make_network(artifact, device), dynamic=False)

    def answer(documents: Documents) -> NDArray[np.float32]:
        ids, lengths = pad(documents)
        with torch.inference_mode():
            return _fetch(compiled(ids.to(device), lengths.to(device)))

    return answer


def make_graph(artifact: Artifact, device: torch.device, documents: Documents) -> Answer:
    """A CUDA graph of the network that trains, for the shape of ``documents``."""
    model = _make_network(artifact, device)
    ids, lengths = (tensor.to(device) for tensor in pad(documents))
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(stream):
        for _ in range(_WARM_UPS):
            model(ids, lengths)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        logits = model(ids, lengths)

    def answer(documents: Documents) -> NDArray[np.float32]:
        for kept, given in zip((ids, lengths), pad(documents), strict=True):
            kept.copy_(given)
        graph.replay()
        return _fetch(logits)

    return answer


def pad(documents: Documents) -> tuple[Tensor, Tensor]:
    """Ids ``(B, T)`` and lengths ``(B,)`` on the processor."""
    ids = pad_sequence([torch.from_numpy(one).long() for one in documents], batch_first=True)
    return ids, torch.tensor([len(one) for one in documents])


def precision(device: torch.device) -> torch.dtype:
    """The numbers of the engine on ``device``."""
    return torch.float16 if device.type == "cuda" else torch.float32


def _make_network(artifact: Artifact, device: torch.device) -> RecurrentClassifier:
    model = RecurrentClassifier(artifact.manifest.architecture)
    load_tensors(model, {n: torch.from_numpy(v.copy()) for n, v in artifact.tensors.items()})
    return model.to(device, precision(device)).eval()


def _fetch(logits: Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = logits.float().cpu().numpy()
    return values
