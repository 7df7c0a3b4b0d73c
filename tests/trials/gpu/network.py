"""A network of the sizes of the preset ``sentiment`` with random weights, and texts for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from valence.service.classifier.architecture import GATES, Architecture
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.manifest import Manifest, Training
from valence.service.classifier.vocabulary import Vocabulary

LABELS = ("negative", "neutral", "positive")
_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwxz"
_WORDS = 50_000
_COLUMNS = 50 + 384  # both tables of word vectors of the preset
_SCALES = {"embedding.weight": 0.5, "output.weight": 0.5, "output.bias": 0.5}
_RECURRENT_SCALE = 0.1
Documents = Sequence[NDArray[np.int32]]


def make_artifact(*, words: int = _WORDS, seed: int = 0) -> Artifact:
    """Random weights of the size of trained ones, so that logits differ by some units."""
    architecture = Architecture(
        vocabulary_size=words, embedding_size=_COLUMNS, hidden_size=128, labels=len(LABELS)
    )
    random = np.random.default_rng(seed)
    tensors = {
        name: random.standard_normal(shape, dtype=np.float32)
        * np.float32(_SCALES.get(name, _RECURRENT_SCALE))
        for name, shape in architecture.tensor_shapes().items()
    }
    nothing = dict.fromkeys(("train", "dev", "test"), 0)
    manifest = Manifest(
        name="sentiment", version="random", task="single_label", labels=LABELS,
        architecture=architecture, max_tokens=256, temperature=1.0, metrics={},
        training=Training(
            corpora=(), splits=nothing, split_sha256=dict.fromkeys(nothing, "0" * 64),
            configuration={}, seed=seed, code_version="random weights", packages={},
            hardware="any", started="2026-01-01T00:00:00Z", seconds=0.0,
            peak_memory_bytes=0, epochs=0,
        ),
    )  # fmt: skip
    return Artifact(manifest, Vocabulary(["<unk>", *map(spell, range(1, words))]), tensors)


def spell(number: int) -> str:
    """A word of five letters for each number below 200,000; no letter stands beside its like."""
    letters = ""
    for alphabet in (_CONSONANTS, _VOWELS) * 2 + (_CONSONANTS,):
        number, letter = divmod(number, len(alphabet))
        letters = alphabet[letter] + letters
    return letters


def draw_documents(
    count: int, *, words: int, shortest: int = 5, longest: int = 40, seed: int = 0
) -> Documents:
    """Word ids of ``count`` texts, whose lengths are uniform from ``shortest`` to ``longest``."""
    random = np.random.default_rng(seed)
    lengths = random.integers(shortest, longest + 1, count)
    return [random.integers(1, words, length).astype(np.int32) for length in lengths]


def count_operations(architecture: Architecture, tokens: int) -> float:
    """Operations of the products of one layer with ``tokens`` words; a multiply-add has two."""
    rows = GATES[architecture.cell] * architecture.hidden_size * architecture.directions
    return 2.0 * tokens * rows * (architecture.embedding_size + architecture.hidden_size)


def count_bytes(architecture: Architecture, tokens: int, *, width: int) -> float:
    """The least traffic with memory: the weights once, the vectors of the words, the outputs.

    ``width`` is the bytes of a number.
    """
    rows = GATES[architecture.cell] * architecture.hidden_size * architecture.directions
    weights = rows * (architecture.embedding_size + architecture.hidden_size)
    # an output is written by the recurrence and read by the pooling
    return width * (weights + tokens * (architecture.embedding_size + 2.0 * architecture.width))
