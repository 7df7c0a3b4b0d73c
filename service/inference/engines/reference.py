"""The network in torch: the reference engine, the definition of what is right, and GPUs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Logits
from valence.service.classifier.model import RecurrentClassifier, load_tensors
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import ConfigurationError


class ReferenceEngine:
    """Runs the trained network as it is: fp32 on the CPU.

    On a CUDA ``device`` it runs in fp16 through cuDNN. Batches then leave from pinned memory and
    results come back in one copy, so that the device is not waited for between slices.
    """

    # Rows are sorted by length and run in slices of this many tokens, padding counted: a thousand
    # short texts beside a long one then cost neither its padding nor memory without bound.
    SLICE_TOKENS = 16_384
    CUDA_SLICE_TOKENS = 131_072  # a GPU is filled by rows, and every time step costs it a launch

    def __init__(self, artifact: Artifact, *, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._on_cuda = self._device.type == "cuda"
        if self._on_cuda and not torch.cuda.is_available():
            raise ConfigurationError(
                f"engine {device!r}: torch does not find a CUDA device; use VALENCE_ENGINE=auto"
            )
        self.name = f"{device}-fp16" if self._on_cuda else f"reference-{device}"
        self._slice_tokens = self.CUDA_SLICE_TOKENS if self._on_cuda else self.SLICE_TOKENS
        with torch.device("meta"):  # the parameters come from the artifact: initialize none
            self._model = RecurrentClassifier(artifact.manifest.architecture)
        load_tensors(
            self._model,
            # a copy, since torch wants writable memory
            {name: torch.from_numpy(value.copy()) for name, value in artifact.tensors.items()},
        )
        self._model.to(self._device, torch.float16 if self._on_cuda else torch.float32).eval()

    def logits(self, documents: Sequence[WordIds]) -> Logits:
        """See :meth:`valence.service.inference.engines.interface.Engine.logits`."""
        return self._compute(documents, self._model, self._model.architecture.outputs)

    def pool(self, documents: Sequence[WordIds]) -> NDArray[np.float32]:
        """The vectors ``(documents, pooled width)`` that the output layer reads."""
        return self._compute(documents, self._model.pool, self._model.architecture.pooled_width)

    def _compute(
        self, documents: Sequence[WordIds], compute: Callable[[Tensor, Tensor], Tensor], width: int
    ) -> NDArray[np.float32]:
        """What ``compute`` makes of padded ids and lengths, ``(documents, width)``, in slices."""
        order = sorted(range(len(documents)), key=lambda index: -len(documents[index]))
        outputs: list[Tensor] = []
        start = 0
        with torch.inference_mode():
            while start < len(order):
                longest = max(1, len(documents[order[start]]))
                rows = order[start : start + max(1, self._slice_tokens // longest)]
                outputs.append(self._run([documents[index] for index in rows], compute))
                start += len(rows)
        result = np.empty((len(documents), width), dtype=np.float32)
        if outputs:
            result[order] = torch.cat(outputs).float().cpu().numpy()
        return result

    def _run(
        self, documents: Sequence[WordIds], compute: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        lengths = torch.tensor([len(document) for document in documents])
        # at least one column, so that a batch of empty documents has a step to run
        ids = pad_sequence(
            [torch.from_numpy(document).long() for document in documents], batch_first=True
        )
        if ids.shape[1] == 0:
            ids = ids.new_zeros((len(documents), 1))
        if self._on_cuda:
            ids, lengths = ids.pin_memory(), lengths.pin_memory()
        return compute(
            ids.to(self._device, non_blocking=True), lengths.to(self._device, non_blocking=True)
        )
