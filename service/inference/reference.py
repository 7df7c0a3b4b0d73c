"""The reference engine: plain torch, the definition of what is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from service.classifier.artifact import Artifact
from service.classifier.classifier import Logits
from service.classifier.model import RecurrentClassifier, load_tensors
from service.classifier.vocabulary import WordIds


class ReferenceEngine:
    """Runs the trained network as it is, fp32, on the CPU or on ``device``."""

    # Rows are sorted by length and run in slices of this many tokens, padding counted: a thousand
    # short texts beside a long one then cost neither its padding nor memory without bound.
    SLICE_TOKENS = 16_384

    def __init__(self, artifact: Artifact, *, device: str = "cpu") -> None:
        self.name = f"reference-{device}"
        self._labels = artifact.manifest.architecture.labels
        self._device = torch.device(device)
        with torch.device("meta"):  # the parameters come from the artifact: initialize none
            self._model = RecurrentClassifier(artifact.manifest.architecture)
        load_tensors(
            self._model,
            # a copy, since torch wants writable memory
            {name: torch.from_numpy(value.copy()) for name, value in artifact.tensors.items()},
        )
        self._model.to(self._device).eval()

    def logits(self, documents: Sequence[WordIds]) -> Logits:
        """See :meth:`service.inference.engine.Engine.logits`."""
        result = np.empty((len(documents), self._labels), dtype=np.float32)
        order = sorted(range(len(documents)), key=lambda index: -len(documents[index]))
        start = 0
        with torch.inference_mode():
            while start < len(order):
                longest = max(1, len(documents[order[start]]))
                rows = order[start : start + max(1, self.SLICE_TOKENS // longest)]
                result[rows] = self._run([documents[index] for index in rows])
                start += len(rows)
        return result

    def _run(self, documents: Sequence[WordIds]) -> Logits:
        lengths = torch.tensor([len(document) for document in documents])
        # at least one column, so that a batch of empty documents has a step to run
        ids = pad_sequence(
            [torch.from_numpy(document).long() for document in documents], batch_first=True
        )
        if ids.shape[1] == 0:
            ids = ids.new_zeros((len(documents), 1))
        logits: Logits = self._model(ids.to(self._device), lengths.to(self._device)).cpu().numpy()
        return logits
