"""Attributions by the native kernel, as ``attribution.py`` in this folder defines them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.engines.native import kernel, network_arguments
from valence.service.inference.explain.attribution import Contributions


class NativeAttributor:
    """Attributions and activations of one classifier's network, in fp32.

    On the path ``avx2-int16`` its recurrent weights are rounded to 16 bits, as the engine's are.

    Without ``path``, the best one that this processor has. A call runs on the caller's thread, with
    the interpreter's lock released. Memory is linear in the text: some 14 KiB a token for each
    layer of two directions of 128 units.
    """

    cost = 4  # measured: see Attributor

    def __init__(self, artifact: Artifact, *, path: str | None = None) -> None:
        self._bias = artifact.tensors["output.bias"]
        architecture = artifact.manifest.architecture
        self._shape = architecture.directions, architecture.hidden_size
        self._explainer = kernel().Explainer(
            path=path or attribution_paths()[0], **network_arguments(artifact)
        )

    def attribute(self, ids: WordIds, label: int) -> Contributions:
        """What each token of ``ids`` ``(tokens,)`` adds to the logit of the label of that index.

        Raises ``ValueError`` for ids outside the vocabulary, ``TypeError`` for ids not of int32.
        """
        if len(ids) == 0:
            bias = float(self._bias[label])
            return Contributions(np.empty(0, dtype=np.float32), bias, bias)
        return Contributions(*self._explainer.attribute(ids, label))

    def activations(self, ids: WordIds) -> NDArray[np.float32]:
        """The last layer's hidden states ``(tokens, directions, units)``, each token's in place."""
        if len(ids) == 0:
            return np.empty((0, *self._shape), dtype=np.float32)
        states: NDArray[np.float32] = self._explainer.activations(ids)
        return states


def attribution_paths() -> tuple[str, ...]:
    """Paths that compute attributions on this processor, best first."""
    return tuple(kernel().attribution_paths())
