"""What every engine offers; the rest of the service knows no more about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from valence.service.classifier.classifier import Logits
from valence.service.classifier.vocabulary import WordIds


class Engine(Protocol):
    """Computes what :class:`valence.service.classifier.model.RecurrentClassifier` defines.

    Engines hold no state between calls, so that several threads may call one at a time: a reload
    measures the engine that serves.
    """

    @property
    def name(self) -> str:
        """Which engine, and which of its paths, answers: shown in ``/v1/models``."""
        ...

    def logits(self, documents: Sequence[WordIds]) -> Logits:
        """Logits ``(documents, outputs)`` of word ids ``(tokens,)`` each, in the order given.

        A document may be empty. Its logits are the same alone and in any batch, up to rounding.
        """
        ...
