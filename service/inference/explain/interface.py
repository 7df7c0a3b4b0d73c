"""What every attributor offers; the explainer knows no more about it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.vocabulary import WordIds
from valence.service.inference.explain.attribution import Contributions

Activations = NDArray[np.float32]


class Attributor(Protocol):
    """See :class:`valence.service.inference.explain.attribution.NumpyAttributor`."""

    @property
    def cost(self) -> int:
        """The cost of a token, in tokens of a prediction by the native engine."""
        ...

    def attribute(self, ids: WordIds, label: int) -> Contributions:
        """The contribution of each of ``ids`` ``(tokens,)`` to the logit of label ``label``."""
        ...

    def activations(self, ids: WordIds) -> Activations:
        """The last layer's hidden states ``(tokens, directions, units)``."""
        ...
