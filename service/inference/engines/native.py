"""The native engine: the kernel of ``engines/kernel``, without torch in the process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Logits
from valence.service.classifier.vocabulary import WordIds
from valence.service.errors import ConfigurationError
from valence.service.inference.engines.kernel import extension
from valence.service.pacing import background

# 32,768 words of two directions of 128 units in 16 bits, or half as many in 32 bits. One or two of
# a hundred words of English texts are rarer. Their gates take 3 to 6 % more of the engine's time.
MOST_TABLE_BYTES = 64 * 2**20


class NativeEngine:
    """Computes an artifact's logits on one dispatch path of the kernel.

    The first layer's input product is folded into the embedding: a word's gates are looked up, not
    computed. ``most_table_bytes`` bounds this table: the gates of the first words, which are the
    most frequent, are in it, and those of others are computed text by text. Without ``path``, the
    best one that this processor has. A call runs on the caller's thread, with the interpreter's
    lock released; any number of threads may call at once.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        path: str | None = None,
        most_table_bytes: int = MOST_TABLE_BYTES,
    ) -> None:
        paths = available_paths()
        if path is None:
            path = paths[0]
        elif path not in paths:
            raise ConfigurationError(
                f"{path!r} is not a dispatch path of this processor; choose one of "
                f"{', '.join(paths)}"
            )
        self.name = f"native-{path}"
        # the kernel gives its threads a priority of their own
        spare = {"spare": True} if background.entered() else {}
        self._network = kernel().Network(
            path=path, most_table_bytes=most_table_bytes, **network_arguments(artifact), **spare
        )

    @property
    def table_bytes(self) -> int:
        """Size of the folded gate table: words x directions x gates x hidden size numbers."""
        return int(self._network.table_bytes)

    def logits(self, documents: Sequence[WordIds]) -> Logits:
        """See :meth:`valence.service.inference.engines.interface.Engine.logits`.

        Raises ``ValueError`` for ids outside the vocabulary, ``TypeError`` for ids not of int32.
        """
        logits: Logits = self._network.logits(documents)
        return logits


def network_arguments(artifact: Artifact) -> dict[str, Any]:
    """What the kernel's classes are built from, beside the path."""
    architecture = artifact.manifest.architecture
    tensors = artifact.tensors
    return {
        "cell": architecture.cell,
        "pooling": architecture.pooling,
        "directions": architecture.directions,
        "embedding": tensors["embedding.weight"],
        "recurrent": [
            tensors[f"recurrent.{kind}_l{layer}{direction}"]
            for layer in range(architecture.layers)
            for direction in ("", "_reverse")[: architecture.directions]
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ],
        "attention": tensors.get("attention", np.empty(0, dtype=np.float32)),
        "output": tensors["output.weight"],
        "output_bias": tensors["output.bias"],
    }


def available_paths() -> tuple[str, ...]:
    """Dispatch paths that this processor and this build have, best first."""
    return tuple(kernel().available_paths())


def peak_gflops(path: str) -> float:
    """GFLOP/s that one core reaches by multiply-adds on registers alone, as ``path`` does them.

    Of ``avx2-int16`` these are operations on integers.
    """
    return float(kernel().peak_gflops(path))


def native_available() -> bool:
    """Whether the kernel was built; if not, :func:`unavailable_reason` says why."""
    return unavailable_reason() is None


def unavailable_reason() -> str | None:
    """Why the native engine cannot be used here, or None if it can."""
    try:
        kernel()
    except ConfigurationError as error:
        return str(error)
    return None


@cache
def kernel() -> ModuleType:
    """The compiled module, or :class:`ConfigurationError` where it was not built."""
    try:
        return extension.load_extension()
    except ImportError as error:
        raise ConfigurationError(
            "the native engine is not built for this Python "
            f"({error}); install a C++17 compiler and then Valence again"
        ) from None
